"""Integers for a network: none changes on its way, and each names a row of the layer's table."""

from __future__ import annotations

import numpy as np
import pytest

from netspec.ir.graph import Graph
from netspec.pipeline import check_text
from netspec.train.data.examples import Data, Examples
from netspec.train.data.fitting import fit
from netspec.verify.tolerance import Array
from tests.train.data.asking import told
from tests.train.data.test_fitting_data import fault

TOKENS = np.arange(24).reshape(8, 3)
CLASSES = np.arange(8) % 2


def network(dtype: str = "int64", before: str = "") -> Graph:
    """A table of 24 rows for three tokens, behind layers that only move them."""
    text = f"""
netspec: 1
name: words
inputs: {{tokens: {{shape: [batch, 3], dtype: {dtype}}}}}
layers:{before}
  - Embedding: {{num_embeddings: 24, embedding_dim: 2}}
  - Flatten
  - Linear: {{out_features: 2}}
    name: y
train: {{data: {{npz: words.npz}}, optimizer: Adam, batch_size: 2}}
"""
    return check_text(text, "words.yaml", format="yaml").graph


def words(train: Array, test: Array = TOKENS) -> Data:
    return Data("words", Examples((train,), CLASSES), Examples((test,), CLASSES))


MOVED = """
  - Unsqueeze: {dim: 1}
  - Squeeze: {dim: 1}"""


@pytest.mark.parametrize("before", ["", MOVED])
@pytest.mark.parametrize("by", [-1, 1])
def test_a_token_without_a_row_is_no_traceback(before: str, by: int) -> None:
    graph = network(before=before)
    for data in (words(TOKENS + by), words(TOKENS, TOKENS + by)):
        found = told(fault(data, graph))
        assert found[0] == "NS479"
        assert f"tokens of words has integers {by} to {23 + by}, but the layer" in found[1]
        assert "takes 0 to 23" in found[1]


@pytest.mark.parametrize(("given", "dtype"), [(np.int64, "int32"), (np.uint64, "int64")])
def test_integers_do_not_wrap_around(given: type[np.generic], dtype: str) -> None:
    graph, limit = network(dtype), np.iinfo(dtype).max
    found = told(fault(words((TOKENS.astype(given) + given(limit)).astype(given)), graph))
    assert found[0] == "NS479"
    assert f"but {dtype} takes {np.iinfo(dtype).min} to {limit}" in found[1]


def test_what_fits_has_the_dtype_of_the_input() -> None:
    graph = network("int32")
    assert graph.training is not None
    (tokens,) = fit(words(TOKENS.astype(np.uint8)), graph, graph.training).train.inputs  # type: ignore[union-attr]
    assert tokens.dtype == np.int32
    np.testing.assert_array_equal(tokens, TOKENS)
