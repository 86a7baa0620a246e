"""torch and onnxruntime over a whole data set: what is a tie, and what is a disagreement."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netspec.torch_backend.build import build
from netspec.torch_backend.weights import arrays
from netspec.train.agreement import Agreement, OutputsApart, PredictionsDiffer, agree
from netspec.train.data.examples import Examples
from tests.language.spec_text import graph

NETWORK = graph("- Linear: {out_features: 3}", inputs="{x: [batch, 5]}")
MODULE = build(NETWORK, seed=0).eval()
X = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
DATA = Examples((X,), np.arange(40) % 3)
with torch.no_grad():
    BY_TORCH = MODULE(torch.from_numpy(X)).numpy()


def judged(by_torch: np.ndarray, by_onnx: np.ndarray, data: Examples = DATA, **how) -> Agreement:
    return agree(NETWORK, arrays(MODULE), data, by_torch, by_onnx, **how)


def test_equal_outputs_agree():
    found = judged(BY_TORCH, BY_TORCH)
    assert (found.compared, found.differ, found.ties, found.error, found.problems) == (40, 0, 0, 0.0, ())
    # at least what the rounding gate grants: eight times four unit roundoffs of the largest output, twice
    assert 2 * 8 * 4 * 2.0**-24 * np.abs(BY_TORCH).max() <= found.bound < 1e-4


def test_rounding_that_decides_nothing_is_no_difference():
    found = judged(BY_TORCH, np.nextafter(BY_TORCH, np.float32(9)))
    assert (found.differ, found.problems) == (0, ())
    assert 0 < found.error < found.bound


def near(gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Outputs in which the two best classes of example 17 are `gap` apart, and swapped in the file."""
    ours = BY_TORCH.copy()
    ours[17] = [-1.0, 0.5 + gap, 0.5]
    theirs = ours.copy()
    theirs[17] = [-1.0, 0.5, 0.5 + gap]
    return ours, theirs


@pytest.mark.parametrize("share", [0.0625, 0.96])
def test_a_tie_within_rounding_is_no_disagreement(share):
    bound = judged(BY_TORCH, BY_TORCH).bound
    found = judged(*near(share * bound))
    assert (found.differ, found.ties, found.problems) == (1, 1, ())


@pytest.mark.parametrize("share", [1.1, 1e5])
def test_any_other_is_told(share):
    bound = judged(BY_TORCH, BY_TORCH).bound
    found = judged(*near(share * bound))
    assert (found.differ, found.ties) == (1, 0)
    (problem,) = found.problems
    assert isinstance(problem, PredictionsDiffer)
    assert (problem.count, problem.size, problem.example, problem.got, problem.expected) == (1, 40, 17, 2, 1)
    assert problem.gap == pytest.approx(share * bound, rel=0.05)
    assert problem.text.startswith(
        "1 of 40 predictions of the file are not PyTorch's: example 17 is class 2 and not 1"
    )


def test_a_tie_of_others_excuses_no_third_class():
    ours, theirs = BY_TORCH.copy(), BY_TORCH.copy()
    ours[3], theirs[3] = [0.0, 0.5, 0.5], [1.0, 0.5, 0.5]
    (problem,) = judged(ours, theirs).problems
    assert isinstance(problem, PredictionsDiffer)
    assert (problem.example, problem.got, problem.expected) == (3, 0, 1)


def test_outputs_of_other_weights_do_not_excuse_themselves():
    """torch's own error is measured with the weights of the file, whatever outputs are judged."""
    found = judged(BY_TORCH[::-1].copy(), BY_TORCH)
    assert found.problems
    assert found.bound < 1e-4


def test_the_worst_disagreement_is_shown():
    ours, theirs = near(0.25)
    ours[30], theirs[30] = [0.0, 0.0, 2.0], [2.0, 0.0, 0.0]
    (problem,) = judged(ours, theirs).problems
    assert isinstance(problem, PredictionsDiffer)
    assert (problem.count, problem.example, problem.gap) == (2, 30, 2.0)


@pytest.mark.parametrize("where", ["torch", "onnx", "both"])
def test_nan_is_no_tie(where):
    ours, theirs = BY_TORCH.copy(), BY_TORCH.copy()
    wrong = (int(BY_TORCH[5].argmax()) + 1) % 3
    if where in ("torch", "both"):
        ours[5, wrong] = np.nan
    if where in ("onnx", "both"):
        theirs[5, wrong] = np.nan
    found = judged(ours, theirs)
    assert bool(found.problems) == (where != "both")
    assert (found.error == np.inf) == (where != "both")


def test_pixels_are_compared_each():
    network = graph("- Conv2d: {out_channels: 4, kernel_size: 1}", inputs="{x: [batch, 1, 3, 3]}")
    module = build(network, seed=0).eval()
    x = np.random.default_rng(0).normal(size=(2, 1, 3, 3)).astype(np.float32)
    with torch.no_grad():
        ours = module(torch.from_numpy(x)).numpy()
    theirs = ours.copy()
    theirs[1, :, 2, 0] = -ours[1, :, 2, 0]
    data = Examples((x,), np.zeros((2, 3, 3), np.int64))
    found = agree(network, arrays(module), data, ours, theirs)
    assert (found.compared, found.differ) == (18, 1)
    (problem,) = found.problems
    assert isinstance(problem, PredictionsDiffer)
    assert problem.example == 1


def test_numbers_may_differ_by_rounding_alone():
    data = Examples((X,), BY_TORCH)
    bound = judged(BY_TORCH, BY_TORCH, data).bound
    assert judged(BY_TORCH, BY_TORCH + np.float32(0.5 * bound), data).problems == ()
    (problem,) = judged(BY_TORCH, BY_TORCH + np.float32(2 * bound), data).problems
    assert isinstance(problem, OutputsApart)
    assert problem.text.startswith("the file's outputs are up to ")
    broken = BY_TORCH.copy()
    broken[0, 0] = np.nan
    assert judged(BY_TORCH, broken, data).error == np.inf
    assert judged(BY_TORCH, broken, data).problems


def test_a_gpu_is_granted_more():
    assert judged(BY_TORCH, BY_TORCH, on_cuda=True).bound == pytest.approx(
        8 * judged(BY_TORCH, BY_TORCH).bound, rel=0.5
    )
