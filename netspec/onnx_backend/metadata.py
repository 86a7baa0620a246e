"""What an exported file says about itself: the names and values of its metadata."""

from __future__ import annotations

from collections.abc import Mapping

import netspec
from netspec.ir.fingerprint import canonical_json, graph_hash, spec_hash
from netspec.ir.graph import Graph, Preprocess
from netspec.onnx_backend.opset import lowest_runtime

PREFIX = "netspec."
VERSION = PREFIX + "version"
SPEC = PREFIX + "spec"
SPEC_HASH = PREFIX + "spec_hash"
GRAPH_HASH = PREFIX + "graph_hash"
WEIGHTS_HASH = PREFIX + "weights_hash"
FILE_HASH = PREFIX + "file_hash"
OPSET = PREFIX + "opset"
RUNTIME = PREFIX + "onnxruntime"
PREPROCESS = PREFIX + "preprocess"
LABELS = PREFIX + "labels"


def describe(graph: Graph, opset: int, weights_hash: str) -> Mapping[str, str]:
    """The metadata of an export, in the order of their names; `export` adds the hash of the file itself.

    version:      of netspec
    spec:         the resolved spec, as canonical JSON, from which the graph is made again
    spec_hash:    `fingerprint.spec_hash` of it
    graph_hash:   `fingerprint.graph_hash`
    weights_hash: `digest.weights_hash` of the weights in the file
    opset:        that the file uses
    onnxruntime:  the lowest version that was seen to load this opset
    preprocess:   JSON, by input: scale, mean, std, resize, as far as given; left out where no input has any
    labels:       JSON, by output: the list of labels; left out where no output has any
    """
    described = {
        VERSION: netspec.__version__,
        SPEC: canonical_json(graph.resolved),
        SPEC_HASH: spec_hash(graph.resolved),
        GRAPH_HASH: graph_hash(graph),
        WEIGHTS_HASH: weights_hash,
        OPSET: str(opset),
        RUNTIME: lowest_runtime(opset),
    }
    preprocess = {item.name: _given(item.preprocess) for item in graph.inputs if item.preprocess}
    labels = {output.name: output.labels for output in graph.outputs if output.labels}
    if preprocess:
        described[PREPROCESS] = canonical_json(preprocess)
    if labels:
        described[LABELS] = canonical_json(labels)
    return dict(sorted(described.items()))


def _given(preprocess: Preprocess) -> Mapping[str, object]:
    everything = {
        "scale": preprocess.scale,
        "mean": preprocess.mean,
        "std": preprocess.std,
        "resize": preprocess.resize,
    }
    return {name: value for name, value in everything.items() if value is not None}
