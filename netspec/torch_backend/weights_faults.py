"""What several readers of weights say of a file."""

from __future__ import annotations

from netspec.diagnostics import Diagnostic, printable


class WeightsDiagnostic(Diagnostic):
    """The base of what can be wrong with weights."""

    origin: str

    @property
    def shown(self) -> str:
        return printable(self.origin)


class UnreadableWeights(WeightsDiagnostic):
    """A file that holds no weights in a form that is known, or cannot be read."""

    code = "NS570"
    message = "cannot read weights from {shown}: {reason}"

    reason: str

    @property
    def help(self) -> str:
        return "give a safetensors file, or a state dict that torch.save wrote"
