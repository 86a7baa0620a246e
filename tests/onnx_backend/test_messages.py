"""Protobuf messages, against those that onnx's helper makes."""

from __future__ import annotations

from typing import Any

import pytest
from onnx import TensorProto, helper

from netspec.ir.tensor import DType, TensorType
from netspec.onnx_backend.emitter import Attribute, Emitter, Weights
from netspec.onnx_backend.lower import lower
from netspec.onnx_backend.messages import graph_message
from netspec.ops.base import Op
from tests.onnx_backend.networks import Network

ATTRIBUTES: dict[str, Attribute] = {
    "whole": 3,
    "negative": -(2**63),
    "flag": True,
    "real": 0.1,
    "text": "reflect-ä",
    "wholes": (1, -2, 3),
    "reals": [0.5, 0.1],
    "mixed": [1, 0.5],
    "type": DType.FLOAT16,
    "texts": ["a", "ä"],
}


class Attributed(Op):
    """Writes one node with attributes of every kind, and an input that is left out."""

    def infer(self, x: TensorType) -> TensorType:
        return x

    def lower(self, graph: Emitter, x: str, weights: Weights) -> str:
        return graph.node("Odd", x, "", x, **ATTRIBUTES)


def node():
    graph = Network(x=(2,)).layer("odd", Attributed()).graph(y="odd")
    return graph_message(graph, lower(graph, 18)).node[0]


def test_attributes_of_every_kind():
    given: dict[str, Any] = {**ATTRIBUTES, "mixed": [1.0, 0.5], "flag": 1, "type": TensorProto.FLOAT16}
    assert node() == helper.make_node("Odd", ["x", "", "x"], ["y"], "odd", **given)


def test_attributes_are_in_the_order_of_their_names():
    names = [attribute.name for attribute in node().attribute]
    assert names == sorted(ATTRIBUTES)


def test_an_attribute_beyond_64_bits_is_an_error(monkeypatch):
    monkeypatch.setitem(ATTRIBUTES, "whole", 2**63)
    with pytest.raises(ValueError, match="out of range"):
        node()
