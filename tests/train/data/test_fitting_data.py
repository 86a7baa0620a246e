"""Data sets held against networks: what fits, and what is said of what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netspec.diagnostics import Diagnostic, DiagnosticError, Source, Span
from netspec.ir.graph import Graph, Preprocess
from netspec.ir.tensor import DType
from netspec.ir.training import Augment
from netspec.train.data.examples import Data, Examples
from netspec.train.data.fitting import fit, held_out
from netspec.train.data.opening import split
from netspec.verify.tolerance import Array
from tests.train.data.asking import (
    IMAGES,
    LABELS,
    classifier,
    passing,
    refused,
    summed,
    told,
    training,
    write_mnist,
)

random = np.random.default_rng(0)
X = random.normal(size=(6, 3)).astype(np.float32)


def data(targets: Array, *inputs: Array, classes: tuple[str, ...] | None = None) -> Data:
    examples = Examples(inputs or (X,), targets)
    return Data("digits", examples, examples, classes)


def targets(given: Array, graph: Graph, *inputs: Array, **section: Any) -> Array:
    return fit(data(given, *inputs), graph, training(**section)).train.targets


def fault(given: Data, graph: Graph, **section: Any) -> Diagnostic:
    with pytest.raises(DiagnosticError) as raised:
        fit(given, graph, training(**section))
    (diagnostic,) = raised.value.diagnostics
    return diagnostic


@pytest.mark.parametrize("loss", ["mse", "l1", "huber"])
@pytest.mark.parametrize(
    ("given", "shape"),
    [
        (X, (3,)),
        (X.astype(np.float64)[:, :, None], (3,)),
        (np.arange(18).reshape(6, 3), (3,)),
        (X[:, 0], (1,)),
        (X[:, :1], (1,)),
        (np.arange(6), (1,)),
        (X[:, 0], (1, 1)),
        (X[:, None], ("n", 3)),
    ],
)
def test_numbers_get_the_shape_of_the_output(loss: str, given: Array, shape: tuple[int | str, ...]) -> None:
    sizes = tuple(1 if size == "n" else int(size) for size in shape)
    fitted = targets(given, passing(*shape), np.zeros((6, *sizes)), loss=loss)
    assert fitted.shape == (6, *sizes)
    assert fitted.dtype == np.float32
    np.testing.assert_array_equal(fitted.ravel(), given.ravel().astype(np.float32))


def test_classes_of_pixels_are_classes() -> None:
    graph, pictures = passing(3, 4, "w"), np.zeros((6, 3, 4, 5))
    pixels = random.integers(0, 3, (6, 4, 5))
    np.testing.assert_array_equal(targets(pixels, graph, pictures), pixels)
    pixels[2, 3, 1] = 255
    ignoring = {"loss_arguments": {"ignore_index": 255}}
    np.testing.assert_array_equal(targets(pixels, graph, pictures, **ignoring), pixels)
    assert told(fault(data(pixels, pictures), graph)) == (
        "NS457",
        "the label 255 in digits is none of the 3 classes of the output y",
        "classes count from 0 to 2; ignore_index of the loss names one to leave out",
    )
    pixels[2, 3, 1] = 0
    assert told(fault(data(pixels, pictures), graph, augment=Augment(flip=True))) == (
        "NS468",
        "augment moves images, but the targets of digits belong to pixels: each is (4, 5)",
        "leave out augment",
    )


def test_yes_and_no_are_shares() -> None:
    yes = np.array([0, 1, 1, 0, 1, 0])
    for given in (yes, yes.astype(bool), yes.astype(np.float64)):
        fitted = targets(given, passing(1), X[:, :1], loss="bce_with_logits")
        np.testing.assert_array_equal(fitted, yes[:, None])
        assert fitted.dtype == np.float32
    assert told(fault(data(yes * 2.0, X[:, :1]), passing(1), loss="bce_with_logits"))[:2] == (
        "NS467",
        "the targets of digits reach from 0 to 2, but the loss bce_with_logits wants 0 to 1",
    )


CLASSES = np.array([0, 1, 2, 0, 1, 2])
ONE_HOT = np.eye(3)[CLASSES]
WRONG: list[tuple[Data, Graph, dict[str, Any], str, str, str]] = [
    (
        data(CLASSES, classes=("a", "b", "c")),
        passing(3),
        {"loss": "mse"},
        "NS458",
        "digits has classes, but the loss mse compares numbers",
        "write loss: cross_entropy, or give one number for each element of the output",
    ),
    (data(CLASSES), passing(3), {"loss": "huber"}, "NS458", "loss huber", "cross_entropy"),
    (
        data(ONE_HOT),
        passing(3),
        {},
        "NS460",
        "digits has float64 numbers to predict, but the loss cross_entropy wants classes",
        "store the number of each one's class: y.argmax(axis=1)",
    ),
    (
        data(ONE_HOT.astype(int)),
        passing(3),
        {},
        "NS455",
        "each target of digits is (3,), but the loss cross_entropy of the output y wants one number",
        "store the number of each one's class: y.argmax(axis=1)",
    ),
    (data(X[:, 0]), passing(3), {}, "NS460", "float32", "store them as integers"),
    (
        data(X[:, :2]),
        passing(3),
        {"loss": "mse"},
        "NS455",
        "each target of digits is (2,), but the loss mse of the output y wants (3)",
        "",
    ),
    (
        data(CLASSES, classes=("a", "b", "c", "d")),
        passing(3),
        {},
        "NS453",
        "digits has 4 classes, but the output y has 3",
        "give the last layer 4 outputs",
    ),
    (data(CLASSES + 1), passing(3), {}, "NS457", "the label 3 in digits", "from 0 to 2"),
    (data(CLASSES - 1), passing(3), {}, "NS457", "the label -1 in digits", "from 0 to 2"),
    (
        data(CLASSES, X, X),
        passing(3),
        {},
        "NS462",
        "digits gives 2 arrays an example, but the network takes 1 array",
        "data: {npz: FILE} has arrays for several inputs: INPUT_train and INPUT_test for each",
    ),
    (data(CLASSES), summed(), {}, "NS462", "gives 1 array an example, but the network takes 2 arrays", ""),
    (
        data(CLASSES, X[:5]),
        passing(3),
        {},
        "NS464",
        "the arrays of digits to train on have 5, 6 examples",
        "the first axis of every array counts the examples",
    ),
    (
        data(CLASSES, X),
        passing(3, dtype=DType.INT64),
        {},
        "NS465",
        "digits gives float32 numbers for the input x, which is int64",
        "store them as integers, or write dtype: float32 at the input",
    ),
    (data(CLASSES[:0], X[:0]), passing(3), {}, "NS459", "digits has no examples to train on", ""),
    (
        data(CLASSES, np.where(X > 1, np.nan, X)),
        passing(3),
        {},
        "NS456",
        f"the input x of digits has {int((X > 1).sum())} of 18 numbers that are not finite",
        "leave out examples with NaN or infinities; nothing can be learnt from them",
    ),
    (data(CLASSES, X.astype(np.float64) * 1e300), passing(3), {}, "NS456", "18 of 18 numbers", ""),
    (
        data(X * np.float32(np.inf)),
        passing(3),
        {"loss": "mse"},
        "NS456",
        "what to predict to train on of digits has 18",
        "",
    ),
    (
        data(CLASSES),
        passing(3),
        {"batch_size": 7},
        "NS454",
        "a batch of 7 needs more than the 6 examples there are to train on",
        "write batch_size: 6 or less",
    ),
    (
        data(CLASSES),
        passing(3),
        {"batch_size": 5, "validate_on": 0.3},
        "NS454",
        "the 4 examples",
        "4 or less",
    ),
    (
        data(CLASSES, np.zeros((6, 32, 32), np.uint8)),
        classifier(classes=3),
        {},
        "NS451",
        "each example of digits is (32, 32), but the input image is (batch, 1, 28, 28)",
        "let the spec resize them: preprocess: {resize: [28, 28]} at the input",
    ),
    (
        data(CLASSES, np.zeros((6, 32, 32, 3), np.uint8)),
        classifier(1, 32, 32, classes=3),
        {},
        "NS451",
        "each example of digits is (32, 32, 3), but the input image is (batch, 1, 32, 32)",
        "",
    ),
    (
        data(CLASSES, np.zeros((6, 3, 30, 32), np.uint8)),
        classifier(1, 32, 32, classes=3, rule=Preprocess(resize=(32, 32))),
        {},
        "NS451",
        "(3, 30, 32)",
        "its images have 3 channels: write [batch, 3, 32, 32]",
    ),
    (data(CLASSES, X[:3]), passing(3), {}, "NS464", "3, 6 examples", ""),
]


@pytest.mark.parametrize("case", range(len(WRONG)))
def test_what_does_not_fit_is_told_with_its_cure(case: int) -> None:
    given, graph, section, code, text, cure = WRONG[case]
    with pytest.raises(DiagnosticError) as raised:
        fit(given, graph, training(**section))
    got = told(raised.value.diagnostics[0])
    assert got[0] == code
    assert text in got[1]
    assert cure in got[2]


def test_independent_faults_come_together() -> None:
    given = Data("digits", Examples((X, X), CLASSES), None)
    with pytest.raises(DiagnosticError) as raised:
        fit(given, passing(3), training(batch_size=9))
    assert [found.code for found in raised.value.diagnostics] == ["NS462", "NS461", "NS454"]


def test_labels_of_the_spec_are_as_many_as_classes() -> None:
    graph = classifier(3, classes=3, labels=("x", "y"))
    assert told(fault(data(CLASSES, classes=("a", "b", "c")), graph)) == (
        "NS466",
        "the output y has 2 labels, but digits has 3 classes",
        "give one label for each class, in the order of the data set: a, b, c",
    )


def test_faults_stand_at_their_entry_of_the_spec(tmp_path: Path) -> None:
    span = Span(Source("net.yaml", "train: {batch_size: 99}\n"), 8, 22)
    section = training(batch_size=99, entries={"batch_size": span})
    assert refused(classifier(), section, write_mnist(tmp_path)).span == span
    assert refused(classifier(classes=3), training(), tmp_path).span == training().data.span


def test_one_example_is_no_image_of_channels() -> None:
    """Three images (28, 28) are not one of three channels."""
    three = data(CLASSES[:3], IMAGES[:3])
    assert fault(three, classifier(3, 28, 28, classes=3)).code == "NS451"


@pytest.mark.parametrize(
    ("count", "share", "held"), [(10, 0.2, 2), (10, 0.01, 1), (10, 0.99, 9), (1, 0.5, 0)]
)
def test_a_share_leaves_something_on_both_sides(count: int, share: float, held: int) -> None:
    assert held_out(count, share) == held


def test_a_split_parts_the_examples_by_the_seed() -> None:
    examples = Examples((np.arange(100),), np.arange(100))
    train, held = split(examples, 0.1, seed=3)
    assert (len(train), len(held)) == (90, 10)
    assert sorted([*train.targets, *held.targets]) == list(range(100))
    np.testing.assert_array_equal(split(examples, 0.1, seed=3)[1].targets, held.targets)
    assert set(split(examples, 0.1, seed=4)[1].targets) != set(held.targets)
    assert len(LABELS) == 6


def test_examples_whose_targets_are_all_ignored_are_left_out() -> None:
    """A batch of them would have no mean."""
    graph, pictures = passing(3, 4, 5), np.arange(6 * 60, dtype=np.float32).reshape(6, 3, 4, 5)
    pixels = random.integers(0, 3, (6, 4, 5))
    pixels[1], pixels[4], pixels[2, 0] = 7, 7, 7
    ignoring: dict[str, Any] = {"loss_arguments": {"ignore_index": 7}}
    fitted = fit(data(pixels, pictures), graph, training(**ignoring))
    assert isinstance(fitted.train, Examples)
    np.testing.assert_array_equal(fitted.train.targets, pixels[[0, 2, 3, 5]])
    np.testing.assert_array_equal(fitted.train.inputs[0], pictures[[0, 2, 3, 5]])
    assert isinstance(fitted.test, Examples)
    assert len(fitted.test) == 4
    assert fault(data(pixels, pictures), graph, batch_size=5, **ignoring).code == "NS454"
    pixels[:] = 7
    assert fault(data(pixels, pictures), graph, **ignoring).text == (
        "digits has no examples to train on: all are ignored"
    )


def test_of_a_single_example_none_can_be_held_out() -> None:
    alone = Data("digits", Examples((X[:1],), np.array([0])), None)
    found = fault(alone, passing(3), validate_on=0.5, batch_size=1)
    assert found.text == "digits has no examples to hold out: it has a single one"


def test_a_label_beyond_all_integers_is_named_as_it_is() -> None:
    found = fault(data(np.full(6, 2**63 + 1, np.uint64)), passing(3))
    assert f"the label {2**63 + 1} in digits" in found.text
