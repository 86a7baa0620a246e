"""A certificate as Markdown, with a picture of the layers' errors against their bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.files import published, writing
from netspec.verify.certificate import Certificate, Gate, Judged, Measurement, summary


def write_report(certificate: Certificate, path: Path) -> tuple[Diagnostic, ...]:
    """Write a certificate as Markdown, and beside it NAME.png where layers were measured.

    Gives what is to be said of the picture, such as that matplotlib is not there to draw it.

    Errors: NS511 where the system refuses.
    """
    from netspec.verify.picture import draw_layers

    picture: Path | None = path.with_suffix(".png")
    remarks: tuple[Diagnostic, ...] = ()
    try:
        if certificate.layers:
            draw_layers(certificate, path.with_suffix(".png"))
        else:
            picture = None
    except DiagnosticError as error:
        if any(found.code != "NS495" for found in error.diagnostics):
            raise
        picture, remarks = None, error.diagnostics
    with published(path) as beside, writing(path):
        beside.write_text(markdown(certificate, None if picture is None else picture.name), encoding="utf-8")
    return remarks


def markdown(certificate: Certificate, picture: str | None = None) -> str:
    """The text of a report; `picture` is the name of the file that lies beside it."""
    parts = [
        f"# {_code(certificate.file)}: {certificate.verdict}",
        "\n".join(_facts(certificate)),
        "\n".join(_table(("gate", "verdict", "what was found"), summary(certificate))),
    ]
    if certificate.findings:
        found = [f"- **{one.code}** {_plain(one.text)}{_cure(one)}" for one in certificate.findings]
        parts += ["## Findings", "\n".join(found)]
    if certificate.layers:
        parts.append("## Layers")
        parts.append(
            "Each layer alone, cut out of the file, on the input that it should get: its error as a part of "
            "its bound, where 1 is at the bound."
        )
        if picture is not None:
            parts.append(f"![Errors of the layers against their bounds](<{picture}>)")
        parts.append("\n".join(_layers(certificate)))
    parts += ["## Inputs", "\n".join(_cases(certificate))]
    for gate in certificate.gates:
        if gate.measurements:
            parts += [f"## {_title(gate)}", "\n".join(_measurements(gate.measurements))]
    return "\n\n".join(parts) + "\n"


def _facts(certificate: Certificate) -> Iterator[str]:
    yield f"- network: {_code(certificate.network)}"
    yield f"- SHA-256: {_code(certificate.sha256)}"
    yield f"- opset {certificate.opset}, seed {certificate.seed}"
    yield f"- {', '.join(f'{name} {version}' for name, version in certificate.versions.items())}"
    if certificate.exported_by_torch:
        yield f"- exported by torch: {', '.join(map(_code, certificate.exported_by_torch))}"


def _layers(certificate: Certificate) -> Iterator[str]:
    engines = [
        judged.lane or judged.gate
        for judged in max(certificate.layers, key=lambda row: len(row.judged)).judged
    ]
    rows = (
        (str(row.line), _code(row.layer), row.operation, *map(_share, row.judged))
        for row in certificate.layers
    )
    yield from _table(("line", "layer", "operation", *engines), rows)


def _share(judged: Judged) -> str:
    if judged.reason:
        return f"fails: {judged.reason}"
    share = judged.measured.share
    return f"**{share:.2g}**" if not share <= 1 else f"{share:.2g}"


def _cases(certificate: Certificate) -> Iterator[str]:
    rows = (
        (case.name, ", ".join(f"{_code(name)} {shape}" for name, shape in case.shapes.items()))
        for case in certificate.cases
    )
    yield from _table(("case", "inputs"), rows)


def _measurements(measurements: Sequence[Measurement]) -> Iterator[str]:
    heads = ["case", "output", "error", "bound", "PyTorch's own error"]
    rows = [
        [row.case, _code(row.output), _figure(row.error), _figure(row.bound), _figure(row.torch_error)]
        for row in measurements
    ]
    if any(row.rerounded_error is not None for row in measurements):
        heads.append("moved by rounding")
        for cells, row in zip(rows, measurements, strict=True):
            cells.append(_figure(row.rerounded_error))
    yield from _table(heads, rows)


def _title(gate: Gate) -> str:
    return gate.name.capitalize() if gate.lane is None else f"{gate.name.capitalize()}, {gate.lane}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join('---' for _ in heads)} |"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    """A name as code, whatever backquotes are in it."""
    shown = printable(text)
    fence = "``" if "`" in shown else "`"
    return f"{fence} {shown} {fence}" if "`" in shown else f"{fence}{shown}{fence}"


def _plain(text: str) -> str:
    """Text in which nothing is markup."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|" else letter for letter in printable(text))


def _cure(found: Diagnostic) -> str:
    return f" ({_plain(found.fill(found.help))})" if found.help else ""
