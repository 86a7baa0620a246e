"""Fingerprints: stable, and different where the networks are."""

from __future__ import annotations

from hashlib import sha256

import pytest

from netspec.ir.fingerprint import canonical_json, graph_hash, spec_hash
from netspec.ir.graph import Preprocess
from tests.onnx_backend.networks import Network, operation


def network(size=4, name="fc", features=2, bias=True):
    network = Network(x=("N", size))
    return network.layer(name, operation("Linear", out_features=features, bias=bias))


def test_graph_hash_is_pinned():
    """Saved weights carry it: it must not change from one version to the next."""
    text = (
        '{"inputs":[["x","float32",["N","4"]]],'
        '"nodes":[["fc","Linear",{"out_features":2},["x"],["fc"]]],"outputs":[["y","fc"]]}'
    )
    assert graph_hash(network().graph(y="fc")) == sha256(text.encode()).hexdigest()


def test_graph_hash_tells_networks_apart():
    graphs = [
        network().graph(y="fc"),
        network(size=5).graph(y="fc"),
        network(name="fd").graph(y="fd"),
        network(features=3).graph(y="fc"),
        network(bias=False).graph(y="fc"),
        network().graph(z="fc"),
        network().graph(y="x"),
        network().layer("r", operation("ReLU")).graph(y="fc"),
        network().layer("r", operation("ReLU")).graph(y="r"),
        network().layer("r", operation("ReLU"), "x").graph(y="r"),
        network().layer("r", operation("Sigmoid")).graph(y="r"),
    ]
    assert len(set(map(graph_hash, graphs))) == len(graphs)


def test_graph_hash_leaves_out_what_does_not_change_the_network():
    plain = network().graph(y="fc")
    spelt_out = Network(x=("N", 4)).layer("fc", operation("Linear", out_features=2, bias=True))
    dressed = spelt_out.graph(name="other", preprocess=Preprocess(scale=2.0), labels=("a", "b"), y="fc")
    assert graph_hash(dressed) == graph_hash(plain)


def test_spec_hash_is_of_the_canonical_text():
    assert canonical_json({"b": [1, 2.5, None], "a": "ä\ud800"}) == '{"b":[1,2.5,null],"a":"\\u00e4\\ud800"}'
    assert spec_hash({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_json_has_no_word_for_infinity():
    with pytest.raises(ValueError, match="JSON"):
        canonical_json([float("inf")])
