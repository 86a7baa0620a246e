"""onnxruntime-web on its WebAssembly backend, one thread, in headless Chromium.

ENVIRONMENT, in which `npm ci` and unpack.mjs have put the package and the browser, comes from the environment
variable of that name. A page of this machine's loopback interface runs what it is handed.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from tests.portability.runners.protocol import Feeds, Run, serve

ENVIRONMENT = Path(os.environ["ENVIRONMENT"])
PACKAGE = ENVIRONMENT / "node_modules" / "onnxruntime-web"
PAGE = Path(__file__).parents[1] / "web" / "page.html"
TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
}
FLAGS = (
    "--headless",
    "--no-sandbox",  # which root cannot have; the page is ours
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
)
PATIENCE = 2  # seconds between looks whether the browser still lives


class Page:
    """A page in a browser of its own, and the server that it talks to."""

    def __init__(self, model: str) -> None:
        self.files = {"/": PAGE, "/model": Path(model)}
        self.inputs: dict[str, bytes] = {}
        self.outputs: dict[str, bytes] = {}
        self.wanted: queue.Queue[dict[str, Any]] = queue.Queue()
        self.told: queue.Queue[dict[str, Any]] = queue.Queue()
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.profile = tempfile.mkdtemp(prefix="chromium-")
        address = f"http://127.0.0.1:{server.server_port}/"
        browser = [str(ENVIRONMENT / "chromium"), *FLAGS, f"--user-data-dir={self.profile}"]
        # The page needs a port for the browser not to end once it has loaded.
        self.process = subprocess.Popen([*browser, "--remote-debugging-port=0", address])

    def ask(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the page tells of a thing that it is asked for."""
        self.wanted.put(dict(wanted))
        while True:
            try:
                told = self.told.get(timeout=PATIENCE)
            except queue.Empty:
                if self.process.poll() is not None:
                    raise RuntimeError(f"the browser ended with status {self.process.returncode}") from None
                continue
            if "refused" in told:
                raise RuntimeError(told["refused"])
            return told

    def close(self) -> None:
        """End the browser."""
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


def _handler(page: Page) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, _, name = self.path[1:].partition("/")
            if self.path == "/next":
                self._answer(json.dumps(page.wanted.get()).encode(), "application/json")
            elif kind == "in":
                self._answer(page.inputs[name])
            else:
                file = page.files.get(self.path) or PACKAGE / "dist" / Path(name).name
                if file.is_file():
                    self._answer(file.read_bytes(), TYPES.get(file.suffix, "application/octet-stream"))
                else:
                    self.send_error(404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kind, _, name = self.path[1:].partition("/")
            if kind == "told":
                page.told.put(json.loads(body))
            else:
                page.outputs[name] = body
            self._answer(b"")

        def _answer(self, body: bytes, type: str = "application/octet-stream") -> None:
            self.send_response(200)
            self.send_header("Content-Type", type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: what is asked for is known."""

    return Handler


def load(path: str) -> Run:
    """A session in the page; outputs by name."""
    pages.append(page := Page(path))
    page.ask({"load": True})

    def run(feeds: Feeds) -> Feeds:
        page.inputs = {name: np.ascontiguousarray(feed).tobytes() for name, feed in feeds.items()}
        inputs = [{"name": k, "dtype": str(v.dtype), "shape": list(v.shape)} for k, v in feeds.items()]
        told = page.ask({"inputs": inputs})
        return {
            y["name"]: np.frombuffer(page.outputs.pop(y["name"]), y["dtype"]).reshape(y["shape"])
            for y in told["outputs"]
        }

    return run


pages: list[Page] = []
try:
    serve(json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))["version"], load)
finally:
    for page in pages:
        page.close()
