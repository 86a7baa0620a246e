"""The reference's own operators against numbers that were not computed with them."""

from __future__ import annotations

import math

import numpy as np
from onnx import NodeProto
from onnx.helper import make_node
from onnx.reference import ReferenceEvaluator

from netspec.verify.reference_ops import OVERRIDES
from netspec.verify.reference_ops.activation import CHUNK, Array, erf


def evaluated(node: NodeProto, x: Array) -> Array:
    (y,) = ReferenceEvaluator(node, new_ops=list(OVERRIDES)).run(None, {"x": x})
    return np.asarray(y)


def test_the_error_function_is_that_of_the_standard_library():
    x = np.concatenate([np.linspace(-7, 7, 2 * CHUNK + 5), [1e-300, 1e300, np.inf, -np.inf]])
    np.testing.assert_allclose(erf(x), [math.erf(number) for number in x], rtol=1e-15, atol=3e-16)
    assert np.isnan(erf(np.array([np.nan]))).all()
    assert erf(x[:6].reshape(2, 3)).tolist() == [erf(x[:3]).tolist(), erf(x[3:6]).tolist()]


def test_hard_swish_has_a_whole_sixth():
    y = evaluated(make_node("HardSwish", ["x"], ["y"]), np.array([-4.0, 1.5, 4.0]))
    assert y.tolist() == [0, 1.125, 4]
