"""A file that stands alone: do its metadata and hashes belong to the graph and weights in it?"""

from __future__ import annotations

import netspec
from netspec.diagnostics import Diagnostic, printable
from netspec.ir.fingerprint import graph_hash, spec_hash
from netspec.ir.graph import Graph
from netspec.onnx_backend.digest import weights_hash
from netspec.onnx_backend.metadata import (
    FILE_HASH,
    GRAPH_HASH,
    LABELS,
    OPSET,
    PREFIX,
    PREPROCESS,
    RUNTIME,
    SPEC,
    SPEC_HASH,
    VERSION,
    WEIGHTS_HASH,
    describe,
)
from netspec.onnx_backend.opset import DEFAULT_OPSET, is_known
from netspec.onnx_backend.read import Model
from netspec.onnx_backend.seal import file_hash
from netspec.verify.consistency import Findings, expected_weights, opset_of

SHOWN = 200  # characters of metadata in a message


class HashDiffers(Diagnostic):
    """The file was changed after netspec wrote it."""

    code = "NS527"
    message = "the {what} of the file are not those that it was written with"

    what: str

    @property
    def help(self) -> str:
        return "the file was changed after netspec wrote it: export it again from its spec and weights"


class MetadataDiffers(Diagnostic):
    """What the metadata tell whoever runs the file is not what its spec and its operators say."""

    code = "NS529"
    message = "the file's metadata {key} is {got}, where its spec and its graph say {expected}"

    key: str
    expected: str
    got: str

    @property
    def help(self) -> str:
        return "the file was changed after netspec wrote it: export it again from its spec and weights"


def check_hashes(model: Model, graph: Graph, findings: Findings) -> None:
    """The hashes that the file carries are those of its spec, its graph and its weights."""
    spec, structure, content = (model.metadata.get(key) for key in (SPEC_HASH, GRAPH_HASH, WEIGHTS_HASH))
    if spec != spec_hash(graph.resolved) or structure != graph_hash(graph):
        findings.add(HashDiffers(what="spec and graph"))
    owned = {name: model.weights[name] for name in expected_weights(graph) if name in model.weights}
    if content != weights_hash(owned):
        findings.add(HashDiffers(what="weights"))
    if model.metadata.get(FILE_HASH) != file_hash(model.message, model.initializers):
        findings.add(HashDiffers(what="nodes, constants or metadata"))


def check_metadata(model: Model, graph: Graph, findings: Findings) -> None:
    """What the file says of its inputs, outputs and operators is what its spec says and its operators are.

    Another version of netspec may write the spec otherwise and know other runtimes, or further keys.
    """
    opset = opset_of(model.message)
    expected = {**describe(graph, opset if is_known(opset) else DEFAULT_OPSET, ""), OPSET: str(opset)}
    keys = [PREPROCESS, LABELS, OPSET]
    if model.metadata.get(VERSION) == netspec.__version__:
        strange = {key for key in model.metadata if key.startswith(PREFIX)} - {*expected, *keys, FILE_HASH}
        keys += [SPEC, RUNTIME, *sorted(strange)]
    for key in keys:
        got, wanted = model.metadata.get(key), expected.get(key)
        if got != wanted:
            findings.add(MetadataDiffers(key=key, expected=_quoted(wanted), got=_quoted(got)))


def _quoted(text: str | None) -> str:
    if text is None:
        return "none"
    return printable(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
