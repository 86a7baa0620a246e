"""What a file says about itself."""

from __future__ import annotations

import json

from netspec import __version__
from netspec.ir.fingerprint import graph_hash, spec_hash
from netspec.ir.graph import Preprocess
from netspec.onnx_backend.metadata import describe
from tests.onnx_backend.networks import Network, operation


def network():
    return Network(x=("N", 4)).layer("fc", operation("Linear", out_features=2))


def test_what_every_file_says():
    graph = network().graph(y="fc")
    described = dict(describe(graph, 21, "00ff"))
    assert list(described) == sorted(described)
    assert json.loads(described.pop("netspec.spec")) == graph.resolved
    assert described == {
        "netspec.graph_hash": graph_hash(graph),
        "netspec.onnxruntime": "1.20",
        "netspec.opset": "21",
        "netspec.spec_hash": spec_hash(graph.resolved),
        "netspec.version": __version__,
        "netspec.weights_hash": "00ff",
    }


def test_preprocessing_and_labels():
    graph = network().graph(
        preprocess=Preprocess(scale=0.5, mean=(0.25, 1.0), resize=(28, 32)), labels=("Käse", "Brot"), y="fc"
    )
    described = describe(graph, 18, "")
    assert json.loads(described["netspec.preprocess"]) == {
        "x": {"scale": 0.5, "mean": [0.25, 1.0], "resize": [28, 32]}
    }
    assert described["netspec.labels"] == '{"y":["K\\u00e4se","Brot"]}'
