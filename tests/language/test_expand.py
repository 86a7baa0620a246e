"""The flat spec of a network and its resolved one: both make the same graph again."""

from __future__ import annotations

import json
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.ir.fingerprint import graph_hash
from netspec.ir.graph import Graph
from netspec.language.expand import expand, expanded_yaml
from netspec.pipeline import check_text
from netspec.torch_backend.build import build
from tests.language.compositions import CHANNELS, compositions
from tests.language.spec_text import checked, graph, spec, values


def again(written: Any) -> Graph:
    return check_text(json.dumps(written), "again.json").graph


@given(compositions(), st.booleans())
def test_the_flat_spec_makes_the_same_graph(written: dict[str, Any], flag: bool) -> None:
    network = check_text(json.dumps(written), "drawn.json", settings={"flag": str(flag).lower()}).graph
    flat = expand(network)
    assert {"blocks", "params", "variants", "use", "init"}.isdisjoint(flat)
    assert graph_hash(again(flat)) == graph_hash(network)
    assert expand(again(flat)) == flat
    as_yaml = check_text("\n".join(expanded_yaml(flat)), "again.yaml", format="yaml").graph
    assert graph_hash(as_yaml) == graph_hash(network)


@settings(max_examples=25)
@given(compositions())
def test_the_flat_network_computes_the_same(written: dict[str, Any]) -> None:
    network = check_text(json.dumps(written), "drawn.json").graph
    module, flat = (build(graph, seed=1).eval() for graph in (network, again(expand(network))))
    assert list(flat.state_dict()) == list(module.state_dict())
    image = torch.randn(2, CHANNELS, 5, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(flat(image), module(image))


@given(compositions(), st.booleans())
def test_the_resolved_spec_stands_alone(written: dict[str, Any], flag: bool) -> None:
    network = check_text(json.dumps(written), "drawn.json", settings={"flag": str(flag).lower()}).graph
    resolved = again(network.resolved)
    assert graph_hash(resolved) == graph_hash(network)
    assert resolved.resolved == network.resolved


def test_the_flat_spec_keeps_all_that_belongs_to_a_network() -> None:
    text = spec(
        """
        - Conv2d: {out_channels: $n, kernel_size: 3}
          name: first
          parametrize: {weight_norm: {dim: 1}}
          init: {bias: 0.5}
        - Conv2d: {out_channels: $n, kernel_size: 3}
          share: first
          from: pixels
        - MaxPool2d: {kernel_size: 2, return_indices: true}
          name: pool
        - MaxUnpool2d: {kernel_size: 2}
          from: {indices: pool.indices, input: prev}
        - Reshape: {shape: [batch, -1, 10]}
        - Reshape: {shape: ['2 * $pixels.shape[0]', -1]}
        """,
        inputs="{pixels: {shape: [batch, 3, 32, H], preprocess: {scale: 0.5, mean: [0.1, 0.2, 0.3]}}}",
        more="""
        params: {n: 3}
        dims: {H: {multiple_of: 4, max: 64}}
        init: {Conv2d: {weight: {normal: {std: 0.1}}}}
        """,
    )
    network = checked(text + "outputs: {all: prev, kept: {from: pool, labels: [a, b, c]}}\n").graph
    flat = again(expand(network))
    assert graph_hash(flat) == graph_hash(network)
    assert flat.outputs[1].labels == network.outputs[1].labels == ("a", "b", "c")
    assert flat.inputs[0].preprocess == network.inputs[0].preprocess
    assert flat.bounds["H"].multiple_of == network.bounds["H"].multiple_of == 4
    assert flat.bounds["H"].max == 64
    for one, other in zip(network, flat, strict=True):
        assert (one.init, one.shares, one.parametrize, one.slots) == (
            *(other.init, other.shares, other.parametrize, other.slots),
        )


def test_text_with_a_dollar_in_it_stays_text() -> None:
    layers = "- ReLU:\n  if: $word == '$$n'\n- Pad: {pad: [1, 1], mode: $mode}"
    more = "params: {word: a, mode: constant, several: [$$, [a$$b]]}"
    network = graph(layers, more=more, word="$n")
    assert list(network.by_name) == ["relu_1", "pad_1"]
    assert network.resolved["params"] == {"word": "$$n", "mode": "constant", "several": ["$$", ["a$$b"]]}
    assert graph_hash(again(network.resolved)) == graph_hash(network)


def test_blocks_that_no_step_takes_still_name_the_steps_that_name_them() -> None:
    layers = "- Conv2: {}\n  if: false\n- Conv2d: {out_channels: 3, kernel_size: 1}\n- $last"
    more = """
    params: {last: Conv4}
    blocks:
      Conv2: {layers: [{Conv3: , if: false}, {if: false, then: [Conv2]}]}
      Conv3: {layers: [ReLU]}
      Conv4: {layers: [ReLU]}
      Unused: {layers: [ReLU]}
    """
    found = checked(spec(layers, more=more))
    assert [warning.text for warning in found.warnings] == ["nothing uses the block Unused"]
    assert list(found.graph.by_name) == ["conv2d_1", "last_1.relu_1"]
    assert list(found.graph.resolved["blocks"]) == ["Conv2", "Conv3", "Conv4"]
    assert graph_hash(again(found.graph.resolved)) == graph_hash(found.graph)


def test_a_network_may_come_to_nothing() -> None:
    network = graph("- ReLU:\n  if: false\n  name: none")
    assert values(network) == {"none": "image"}
    assert graph_hash(again(expand(network))) == graph_hash(network)
