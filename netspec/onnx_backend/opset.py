"""Which opsets can be written, and which IR version and onnxruntime each of them needs."""

from __future__ import annotations

from functools import cache

from netspec.diagnostics import Diagnostic, DiagnosticError

DEFAULT_OPSET = 18
BFLOAT16_OPSET = 22  # the first whose convolutions and pools take bfloat16
OLDEST_OPSET = 17

_IR_VERSIONS = {17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11, 24: 12, 25: 13, 26: 13}
"""The lowest IR version that may hold each opset."""

_NEWEST_OPSETS = {(1, 17): 20, (1, 20): 21, (1, 22): 22, (1, 23): 23, (1, 31): 26}
"""The newest opset that each onnxruntime loaded when it was tried; one between takes the earlier's."""

_DISTRIBUTIONS = ("onnxruntime-gpu", "onnxruntime")


class UnsupportedOpset(Diagnostic):
    """An opset that is too old to be written, or too new for the installed onnxruntime."""

    code = "NS512"
    message = "opset {opset} cannot be exported: {runtime} is given opsets {oldest} to {newest}"

    opset: int
    oldest: int
    newest: int
    runtime: str

    @property
    def help(self) -> str:
        return "use --opset {near}, or leave the option out for opset {usual}"

    @property
    def near(self) -> int:
        return min(max(self.opset, self.oldest), self.newest)

    @property
    def usual(self) -> int:
        return DEFAULT_OPSET


@cache
def installed_runtime() -> str | None:
    """The version of the installed onnxruntime, found without importing it; None where there is none."""
    # Here, because the module costs several milliseconds and the default opset asks for no version.
    from importlib.metadata import PackageNotFoundError, version

    for distribution in _DISTRIBUTIONS:
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return None


def newest_opset(runtime: str | None) -> int:
    """The newest opset that an onnxruntime of this version loads; the newest known where there is none."""
    if runtime is None:
        return max(_IR_VERSIONS)
    numbers = runtime.split(".")
    if len(numbers) < 2 or not (numbers[0].isdecimal() and numbers[1].isdecimal()):
        return min(_NEWEST_OPSETS.values())
    release = (int(numbers[0]), int(numbers[1]))
    return max((o for known, o in _NEWEST_OPSETS.items() if known <= release), default=OLDEST_OPSET)


def supported_opset(opset: int) -> int:
    """`opset`, when it can be written for the installed onnxruntime; else an error that says which can."""
    if OLDEST_OPSET <= opset <= min(_NEWEST_OPSETS.values()):
        return opset
    runtime = installed_runtime()
    newest = newest_opset(runtime)
    if not OLDEST_OPSET <= opset <= newest:
        named = f"onnxruntime {runtime}" if runtime else "any onnxruntime"
        raise DiagnosticError(
            UnsupportedOpset(opset=opset, oldest=OLDEST_OPSET, newest=newest, runtime=named)
        )
    return opset


def is_known(opset: int) -> bool:
    """Whether netspec writes this opset, for whatever runtime."""
    return opset in _IR_VERSIONS


def ir_version(opset: int) -> int:
    """The lowest IR version that may hold `opset`: newer ones are refused by older runtimes."""
    return _IR_VERSIONS[opset]


def lowest_runtime(opset: int) -> str:
    """The lowest version of onnxruntime that was seen to load `opset`."""
    major, minor = min(release for release, newest in _NEWEST_OPSETS.items() if newest >= opset)
    return f"{major}.{minor}"
