"""An ONNX file, its own or a stranger's → its structure, its metadata, and views of its weights.

Nothing in the file is believed: every length is held against the file, nothing outside its folder is
opened, and nothing is loaded, decoded or allocated for a size that the file merely claims.
"""

from __future__ import annotations

import mmap
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from onnx import ModelProto

from netspec.diagnostics import Diagnostic, DiagnosticError, printable
from netspec.onnx_backend.digest import Array
from netspec.onnx_backend.emitter import CONSTANT_PREFIX
from netspec.onnx_backend.metadata import SPEC
from netspec.onnx_backend.outline import Outline, OutlineTooLargeError, outline
from netspec.onnx_backend.tensors import TensorFault, initializers, refuse_hidden_external
from netspec.onnx_backend.wire import WireError

FILE_LIMIT = (1 << 31) - 1  # bytes; protobuf's own limit
METADATA_LIMIT = 1 << 24  # characters of all metadata together


class ModelDiagnostic(Diagnostic):
    """The base of what can be wrong with a model file."""

    path: str

    @property
    def shown(self) -> str:
        return printable(self.path)


class NotAModel(ModelDiagnostic):
    """Bytes that are no ONNX file: another format, or one that was cut off."""

    code = "NS501"
    message = "{shown} is not an ONNX model, or is damaged: {reason}"

    reason: str

    @property
    def help(self) -> str:
        return "copy or export the model again"


class ModelTooLarge(ModelDiagnostic):
    """More than protobuf, or any sensible network, can hold."""

    code = "NS502"
    message = "{shown} is too large: {what} may have {limit} bytes"

    what: str
    limit: int

    @property
    def help(self) -> str:
        return "keep large weights in external data, next to the model"


class BadTensor(ModelDiagnostic):
    """A tensor that contradicts itself or the file, or whose data are not where they may be."""

    code = "NS503"
    message = "{shown}: tensor {tensor} {fault}"

    tensor: str
    fault: str

    @property
    def help(self) -> str:
        return "do not trust this file; if it is your own, export it again"


class NotFromNetspec(ModelDiagnostic):
    """A model without netspec's metadata, and so without the spec to hold it against."""

    code = "NS504"
    message = "{shown} was not written by netspec: it has no metadata {key}"

    key: str = SPEC

    @property
    def help(self) -> str:
        return "build the model from its spec with `netspec build`"


class CannotRead(ModelDiagnostic):
    """A model file that is not there, may not be read, or is no file."""

    code = "NS505"
    message = "cannot read {shown}: {reason}"

    reason: str

    @property
    def help(self) -> str:
        return "give the path of an .onnx file"


@dataclass(frozen=True)
class Model:
    """An ONNX file that was read.

    `message` is the whole model but for the elements of large initializers, which keep their names, types
    and shapes. `initializers` gives every initializer of the graph as an array; of the large ones a
    read-only view of the file, which need not be aligned in memory.
    """

    path: Path
    message: ModelProto
    metadata: Mapping[str, str]
    initializers: Mapping[str, Array]

    @cached_property
    def weights(self) -> Mapping[str, Array]:
        """The initializers that are a network's weights, not constants of the lowering."""
        return {
            name: array for name, array in self.initializers.items() if not name.startswith(CONSTANT_PREFIX)
        }


def read_model(path: Path, *, foreign: bool = False) -> Model:
    """Read an ONNX file; unless `foreign`, one without netspec's metadata is an error."""
    content = _mapped(path)
    if len(content) > FILE_LIMIT:
        raise DiagnosticError(ModelTooLarge(path=str(path), what="a model file", limit=FILE_LIMIT))
    try:
        found = outline(content)
        message = ModelProto.FromString(found.structure)
        _check_text(message)
        metadata = _metadata(message)
    except OutlineTooLargeError as error:
        what = "the structure of a model (all but its weights)"
        raise DiagnosticError(ModelTooLarge(path=str(path), what=what, limit=error.limit)) from error
    except (WireError, DecodeError) as error:
        raise DiagnosticError(NotAModel(path=str(path), reason=_reason(error))) from error
    if not message.ir_version or not message.HasField("graph"):
        raise DiagnosticError(NotAModel(path=str(path), reason="it holds no graph"))
    if not foreign and SPEC not in metadata:
        raise DiagnosticError(NotFromNetspec(path=str(path)))
    return Model(path, message, metadata, _initializers(path, message, content, found))


def _initializers(path: Path, message: ModelProto, content: mmap.mmap, found: Outline) -> Mapping[str, Array]:
    try:
        refuse_hidden_external(message)
        return initializers(message.graph.initializer, content, found.elements, path.parent)
    except TensorFault as fault:
        raise DiagnosticError(
            BadTensor(path=str(path), tensor=printable(fault.tensor), fault=printable(fault.fault))
        ) from fault


def _check_text(message: Message) -> None:
    """Refuse text that is not UTF-8; protobuf gives it as bytes to whoever reads it, which nobody expects."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING:
            texts = (value,) if isinstance(value, str | bytes) else value
            if any(isinstance(text, bytes) for text in texts):
                raise WireError("a name in it is not UTF-8")
        elif field.type == field.TYPE_MESSAGE:
            for part in (value,) if isinstance(value, Message) else value:
                _check_text(part)


def _metadata(message: ModelProto) -> Mapping[str, str]:
    metadata: dict[str, str] = {}
    for entry in message.metadata_props:
        if entry.key in metadata:
            raise WireError("its metadata name one key twice")
        metadata[entry.key] = entry.value
    if sum(map(len, metadata.values())) > METADATA_LIMIT:
        raise WireError(f"its metadata have more than {METADATA_LIMIT} characters")
    return metadata


def _mapped(path: Path) -> mmap.mmap:
    """The file's bytes, mapped, not loaded."""
    try:
        status = path.stat()  # first: opening a pipe would wait for its writer
        if stat.S_ISDIR(status.st_mode):
            raise DiagnosticError(CannotRead(path=str(path), reason="it is a folder"))
        if not stat.S_ISREG(status.st_mode):
            raise DiagnosticError(CannotRead(path=str(path), reason="it is not a regular file"))
        if not status.st_size:
            raise DiagnosticError(NotAModel(path=str(path), reason="it is empty"))
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DiagnosticError(CannotRead(path=str(path), reason=(reason or str(error)).lower())) from error


def _reason(error: Exception) -> str:
    return "a message in it cannot be decoded" if isinstance(error, DecodeError) else str(error)
