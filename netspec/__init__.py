"""netspec compiles a network's spec to a checked graph, a PyTorch module and a verified ONNX model.

    spec text ──parse──▶ Document ──elaborate + infer──▶ Graph ──┬─build───▶ torch module ──▶ weights
      (located)          (pydantic)   (typed, flat, frozen)      ├─analyse─▶ costs, receptive field │
                                                                 └─export──▶ ONNX ◀───────────────┘
                                                                               └──verify──▶ certificate

`check` reads a spec to its Graph and needs no torch; `build` goes all the way:

    import netspec

    graph = netspec.check("specs/lenet.yaml", settings={"classes": "47"}).graph
    built = netspec.build("specs/lenet.yaml", out=Path("exports"), seed=1)
    print(built.certificate.verdict, built.path)

`eject` writes the network as plain PyTorch instead: `Path("lenet.py").write_text(netspec.eject(spec))`.

What is wrong with a spec is raised as a DiagnosticError. The stages themselves are functions in the modules
of the same names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netspec.diagnostics import Diagnostic, DiagnosticError
    from netspec.ir.graph import Graph
    from netspec.ops.base import Op
    from netspec.pipeline import Built, Checked, build, check, eject

__version__ = "0.1.0"

_HOMES = {
    "Built": "netspec.pipeline",
    "Checked": "netspec.pipeline",
    "Diagnostic": "netspec.diagnostics",
    "DiagnosticError": "netspec.diagnostics",
    "Graph": "netspec.ir.graph",
    "Op": "netspec.ops.base",
    "build": "netspec.pipeline",
    "check": "netspec.pipeline",
    "eject": "netspec.pipeline",
}

__all__ = [
    "Built",
    "Checked",
    "Diagnostic",
    "DiagnosticError",
    "Graph",
    "Op",
    "__version__",
    "build",
    "check",
    "eject",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `netspec check` never loads torch."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'netspec' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
