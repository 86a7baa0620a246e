"""Downloads: what was published or nothing; and what is said without a network."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from netspec.diagnostics import DiagnosticError
from netspec.train.data import fetching, mnist
from netspec.train.data.fetching import PublishedFile, fetch
from tests.train.data.asking import classifier, refused, training, write_mnist

CONTENT = bytes(range(256)) * 1000


class Handler(http.server.BaseHTTPRequestHandler):
    files: dict[str, bytes]

    def do_GET(self) -> None:
        content = self.files.get(self.path)
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if self.path == "/short":
            content = CONTENT[:100]
        self.wfile.write(content or b"")

    def log_message(self, *arguments: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on this machine."""
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    Handler.files = {"/good": CONTENT, "/other": CONTENT[::-1], "/long": CONTENT * 2, "/short": CONTENT}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def published(*urls: str) -> PublishedFile:
    return PublishedFile("good.gz", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), urls)


def get(path: Path, file: PublishedFile) -> list[float]:
    shares: list[float] = []
    fetch("digits", {path: file}, True, lambda stage, done: shares.append(done))
    return shares


def test_a_published_file_is_fetched_whole(address: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "digits" / "good.gz"
    shares = get(path, published(f"{address}/good"))
    assert path.read_bytes() == CONTENT
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("first", ["/gone", "/other"])
def test_the_next_address_is_tried(address: str, tmp_path: Path, first: str) -> None:
    get(tmp_path / "good.gz", published(address + first, f"{address}/good"))
    assert (tmp_path / "good.gz").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/other", "its SHA-256 is"),
        ("/long", "it has more than 256,000 bytes"),
        ("/short", "it has 100 bytes, not 256,000"),
    ],
)
def test_another_file_leaves_nothing(address: str, tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(DiagnosticError) as raised:
        get(tmp_path / "good.gz", published(address + url))
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.code == "NS431"
    assert words in diagnostic.text
    assert str(tmp_path / "good.gz") in diagnostic.fill(diagnostic.help)
    assert list(tmp_path.iterdir()) == []


def test_a_server_without_the_file_is_told(address: str, tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as raised:
        get(tmp_path / "good.gz", published(f"{address}/gone"))
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.text == "the data set digits is not complete: downloading it failed (not found)"
    assert [note.text for note in diagnostic.notes] == [
        f"missing: {tmp_path}/good.gz, from {address}/gone",
    ]


def test_only_what_is_missing_is_fetched(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = write_mnist(tmp_path / "mnist")
    missing = home / "train-labels-idx1-ubyte.gz"
    labels = missing.read_bytes()
    missing.unlink()
    Handler.files = {f"/{missing.name}": labels}
    files = dict(mnist.SETS["mnist"].files)
    files[missing.name] = (len(labels), hashlib.sha256(labels).hexdigest())
    monkeypatch.setitem(mnist.SETS, "mnist", mnist.Published((f"{address}/",), files, tuple("0123456789")))
    Handler.files = {f"/{missing.name}": b"\0" + labels[1:]}
    assert refused(classifier(), training(), tmp_path, download=True).code == "NS431"
    Handler.files = {f"/{missing.name}": labels}
    stages: list[str] = []
    from netspec.train.data.opening import open_data

    data = open_data(classifier(), training(), tmp_path, progress=lambda stage, done: stages.append(stage))
    assert len(data.train) == 6
    assert stages == [f"downloading {missing.name}", "reading mnist"]


def test_without_a_network_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*arguments: object, **options: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(fetching, "urlopen", no_network)
    diagnostic = refused(classifier(3, 32, 32), training("cifar10"), tmp_path, download=True)
    assert diagnostic.code == "NS430"
    assert diagnostic.text == (
        "the data set cifar10 is not complete: downloading it failed (network is unreachable)"
    )
    assert [note.text for note in diagnostic.notes] == [
        f"missing: {tmp_path}/cifar10/cifar-10-binary.tar.gz, "
        "from https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_no_network_failure(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(DiagnosticError) as raised:
        get(tmp_path / "taken" / "good.gz", published(f"{address}/good"))
    assert raised.value.diagnostics[0].code == "NS511"


def test_checksums_are_whole() -> None:
    files = [each for published in mnist.SETS.values() for each in published.files.values()]
    assert len({sha256 for _, sha256 in files}) == 8
    assert all(len(sha256) == 64 and int(sha256, 16) for _, sha256 in files)
    assert all(
        address.startswith("http") and address.endswith("/")
        for published in mnist.SETS.values()
        for address in published.addresses
    )
