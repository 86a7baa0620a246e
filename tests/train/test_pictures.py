"""The pictures of a run: what is in them, as far as pixels tell, and what no size or name can break."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from netspec.diagnostics import DiagnosticError, Severity
from netspec.files import CannotWrite
from netspec.ir.graph import Graph
from netspec.pipeline import check
from netspec.torch_backend.build import build
from netspec.train.pictures import (
    NothingToDraw,
    PicturesNeedMatplotlib,
    confusion,
    curves,
    features,
    kernels,
)
from netspec.train.pictures.confusion import _compact
from netspec.train.pictures.figure import mosaic, thinned
from netspec.train.records import EpochRecord
from tests.language.spec_text import graph
from tests.pages import ROOT

LENET = check(ROOT / "specs" / "lenet_bn.yaml").graph


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """The figures as they are when they are written."""
    saved: list[Figure] = []
    save = Figure.savefig

    def kept(figure: Figure, *arguments, **named) -> None:
        saved.append(figure)
        save(figure, *arguments, **named)

    monkeypatch.setattr(Figure, "savefig", kept)
    return saved


def record(epoch: int, loss: float = 0.5, **accuracies: float) -> EpochRecord:
    figures = {"loss": loss, **accuracies}
    return EpochRecord(epoch, epoch, 1.0, 1.0, 0.1, figures, figures)


def run(epochs: int) -> list[EpochRecord]:
    return [record(e, 2 / e, accuracy=1 - 1 / (e + 1), top5=1 - 1 / (e + 4)) for e in range(1, epochs + 1)]


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        return image.size


def texts(figure: Figure) -> list[str]:
    from matplotlib.text import Text

    return [found.get_text() for found in figure.findobj(Text) if found.get_text()]


def refusal(*arguments) -> DiagnosticError:
    function, *given = arguments
    with pytest.raises(DiagnosticError) as raised:
        function(*given)
    return raised.value


def test_curves_show_every_figure_and_the_best_epoch(tmp_path, figures):
    records = [record(1, 2.0, accuracy=0.5), record(2, 1.0, accuracy=0.75), record(3, 0.5, accuracy=0.625)]
    curves(records, tmp_path / "curves.png")
    loss, accuracy = figures[0].axes
    assert [line.get_ydata().tolist() for line in loss.lines[:2]] == [[2.0, 1.0, 0.5]] * 2
    assert [line.get_ydata().tolist() for line in accuracy.lines[:2]] == [[0.5, 0.75, 0.625]] * 2
    assert loss.lines[2].get_xdata() == [2, 2] == accuracy.lines[2].get_xdata()
    assert accuracy.get_title(loc="right") == "0.75 in epoch 2"
    assert loss.get_title(loc="right") == "1 in epoch 2"
    assert {"train", "validation", "epoch", "loss", "accuracy"} <= set(texts(figures[0]))
    assert size(tmp_path / "curves.png") == (1120, 432)


def test_a_regression_has_one_panel(tmp_path, figures):
    curves([record(1, 3.0), record(2, 2.0)], tmp_path / "curves.png")
    assert [axes.get_title(loc="left") for axes in figures[0].axes] == ["loss"]


def test_top5_has_curves_of_its_own(tmp_path, figures):
    curves(run(4), tmp_path / "curves.png")
    assert {"accuracy, validation", "top-5 accuracy, validation"} <= set(texts(figures[0]))


@pytest.mark.parametrize(
    "records",
    [
        run(1),
        [record(1, math.nan)],
        [record(e, value) for e, value in enumerate((1.0, math.inf, 1e308, -1e308, 2.0), 1)],
        [record(e, 0.0, accuracy=math.nan) for e in (1, 2)],
        [EpochRecord(1, 1, 1.0, 1.0, 0.1, {"loss": 1.0}, {})],
        [EpochRecord(10**15, 1, 1.0, 1.0, 0.1, {}, {})],
    ],
)
def test_curves_of_odd_numbers_are_drawn(tmp_path, records):
    curves(records, tmp_path / "curves.png")
    assert size(tmp_path / "curves.png")[1] == 432


def test_a_hundred_thousand_epochs_cost_no_more_than_a_thousand(tmp_path, figures):
    records = run(100_000)
    records[77_777] = record(77_778, accuracy=1.0)
    start = time.perf_counter()
    curves(records, tmp_path / "curves.png")
    assert time.perf_counter() - start < 10
    lines = figures[0].axes[1].lines
    assert max(len(line.get_xdata()) for line in lines) <= 1_001
    assert figures[0].axes[1].get_title(loc="right") == "1 in epoch 77,778"


def test_confusion_writes_counts_and_names(tmp_path, figures):
    confusion(np.array([[8, 2], [5, 0]]), ["cat", "dog"], tmp_path / "c.png")
    shown = texts(figures[0])
    assert {"8", "2", "5", "cat", "dog", "true", "predicted", "8 of 15 right (53.33%)"} <= set(shown)
    (image,) = figures[0].axes[0].images
    assert image.get_array().tolist() == [[0.8, 0.2], [1.0, 0.0]]  # of the row


@pytest.mark.parametrize(
    ("classes", "named"), [(3, True), (20, True), (21, True), (51, False), (1003, False)]
)
def test_confusion_of_any_size(tmp_path, figures, classes, named):
    matrix = np.zeros((classes, classes), np.int64)
    matrix[np.arange(classes), np.arange(classes)] = 7
    matrix[0, -1] = 7
    matrix[1] = 0  # no examples
    confusion(matrix, [f"n{number}" for number in range(classes)], tmp_path / "c.png")
    axes = figures[0].axes[0]
    (image,) = axes.images
    assert image.get_array().shape[0] == (classes if classes <= 250 else -(-classes // 5))
    assert image.get_array()[0, 0] == (0.5 if classes <= 250 else 28 / 35)
    assert len(axes.texts) == (classes if classes <= 20 else 0)
    assert ("n2" in texts(figures[0])) == named
    assert max(size(tmp_path / "c.png")) < 1400


def test_confusion_without_names_numbers_classes(tmp_path, figures):
    confusion(np.eye(2, dtype=np.int64), None, tmp_path / "c.png")
    assert {"0", "1"} <= set(texts(figures[0]))


@pytest.mark.parametrize(
    "name", ["$\\frac{", "$x$", "a\x1b[31mred", "日本語", "x" * 500, "", "\ud800", "a\nb", "{x}"]
)
def test_no_name_breaks_a_picture(tmp_path, figures, name):
    confusion(np.eye(2, dtype=np.int64), [name, "other"], tmp_path / "c.png")
    shown = [text for text in texts(figures[0]) if text not in ("other", "1", "true", "predicted")]
    assert all(text.isprintable() and len(text) < 60 for text in shown)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (9_999, "9999"), (10_000, "10k"), (12_345, "12k"), (9_999_999, "10000k"), (12_345_678, "12M")],
)
def test_large_counts_are_short(count, text):
    assert _compact(count) == text


def test_kernels_of_one_channel_are_on_one_scale(tmp_path, figures):
    module = build(LENET, seed=0)
    weight = module.state_dict()["conv2d_1.weight"]
    kernels(module, LENET, tmp_path / "k.png")
    (image,) = figures[0].axes[0].images
    shown = image.get_array()
    # 6 kernels of 5 x 5, each pixel 4 x 4, and gaps of 1
    assert shown.shape == (20, 6 * 20 + 5)
    assert shown[0, 0] == pytest.approx(weight[0, 0, 0, 0].item())
    assert shown[19, 21] == pytest.approx(weight[1, 0, 4, 0].item())
    assert image.norm.vmax == -image.norm.vmin == pytest.approx(weight.abs().max().item())
    assert "conv2d_1: 6 kernels, 5 x 5" in texts(figures[0])


CONVOLUTIONS = {
    "colour": ("Conv2d: {out_channels: 20, kernel_size: 3}", "[batch, 3, 9, 9]", "20 kernels, 3 x 3"),
    "many": (
        "Conv2d: {out_channels: 2048, kernel_size: 1}",
        "[batch, 1, 9, 9]",
        "64 of 2,048 kernels, 1 x 1",
    ),
    "rows": (
        "Conv2d: {out_channels: 4, kernel_size: [2, 3]}",
        "[batch, 40, 9, 9]",
        "4 filters across, 16 of 40 input channels down, 2 x 3",
    ),
    "large": ("Conv2d: {out_channels: 2, kernel_size: 300}", "[batch, 1, 300, 300]", "2 kernels, 300 x 300"),
    "one": ("Conv1d: {out_channels: 3, kernel_size: 80}", "[batch, 1, 200]", "3 kernels, 80"),
    "three": (
        "Conv3d: {out_channels: 3, kernel_size: 3}",
        "[batch, 3, 8, 9, 9]",
        "3 filters across, 3 input channels down, 3 x 3 x 3",
    ),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_kernels_of_every_kind(tmp_path, figures, case):
    layer, shape, told = CONVOLUTIONS[case]
    network = graph(f"- {layer}", inputs=f"{{x: {shape}}}")
    kernels(build(network), network, tmp_path / "k.png")
    assert any(text.endswith(f": {told}") for text in texts(figures[0]))
    assert max(size(tmp_path / "k.png")) <= 1600
    assert max(figures[0].axes[0].images[0].get_array().shape) < 3000


def test_a_computed_weight_has_kernels(tmp_path):
    network = graph("- Conv2d: {out_channels: 3, kernel_size: 3}\n  parametrize: weight_norm\n  name: first")
    kernels(build(network), network, tmp_path / "k.png")
    assert (tmp_path / "k.png").exists()


def test_kernels_that_are_not_finite_are_told(tmp_path):
    module = build(LENET)
    with torch.no_grad():
        module.state_dict()["conv2d_1.weight"][0] = math.nan
    (found,) = refusal(kernels, module, LENET, tmp_path / "kernels.png").diagnostics
    assert found.text == "kernels.png is not drawn: the first convolution has weights that are not finite"


def seen(network: Graph, inputs: Sequence[torch.Tensor], tmp_path: Path, figures: list[Figure]) -> list[str]:
    features(build(network, seed=0), network, inputs, tmp_path / "f.png")
    return [axes.get_title(loc="left") for axes in figures[-1].axes if axes.get_title(loc="left")]


def test_features_are_the_maps_that_layers_give(tmp_path, figures):
    module = build(LENET, seed=0)
    image = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    features(module, LENET, (image,), tmp_path / "f.png")
    titles = [axes.get_title(loc="left") for axes in figures[0].axes]
    assert [title for title in titles if title] == [
        "image: 1 x 28 x 28",
        "conv2d_1: 6 x 24 x 24",
        "sigmoid_1: 6 x 24 x 24",
        "avg_pool2d_1: 6 x 12 x 12",
        "conv2d_2: 16 x 8 x 8",
        "sigmoid_2: 16 x 8 x 8",
        "avg_pool2d_2: 16 x 4 x 4",
    ]
    rows = np.array(figures[0].axes).reshape(7, 8)
    assert [sum(len(axes.images) for axes in row) for row in rows] == [1, 6, 6, 6, 8, 8, 8]
    with torch.no_grad():
        maps = module.get_submodule("conv2d_1")(image[:1])[0]
    third = (maps[2] - maps[2].min()) / (maps[2].max() - maps[2].min())
    np.testing.assert_allclose(rows[1, 2].images[0].get_array(), third, atol=1e-6)
    assert max(size(tmp_path / "f.png")) < 1400


def test_features_leave_the_module_as_it_was(tmp_path):
    module = build(LENET, seed=0).train()
    module.get_submodule("batch_norm2d_1").eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    features(module, LENET, (torch.rand(2, 1, 28, 28),), tmp_path / "f.png")
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert module.training
    assert not module.get_submodule("batch_norm2d_1").training
    assert not any(part._forward_hooks for part in module.modules())


def test_shared_layers_show_each_of_their_calls(tmp_path, figures):
    network = graph(
        "- {Conv2d: {out_channels: 3, kernel_size: 3, padding: 1}, name: a}\n"
        "- MaxPool2d: {kernel_size: 2}\n"
        "- {Conv2d: {out_channels: 3, kernel_size: 3, padding: 1}, share: a, name: b}"
    )
    titles = seen(network, (torch.rand(1, 3, 32, 32),), tmp_path, figures)
    assert titles == ["image: 3 x 32 x 32", "a: 3 x 32 x 32", "max_pool2d_1: 3 x 16 x 16", "b: 3 x 16 x 16"]
    assert figures[0].axes[0].images[0].get_array().shape == (32, 32, 3)  # the image in its colours


def test_a_layer_that_lets_nothing_through_is_black(tmp_path, figures):
    network = graph("- Conv2d: {out_channels: 2, kernel_size: 3}\n- Clamp: {min: 5, max: 6}")
    seen(network, (torch.zeros(1, 3, 32, 32),), tmp_path, figures)
    for axes in figures[0].axes[16:18]:
        assert not axes.images[0].get_array().any()
        assert axes.images[0].norm.vmax == 1


def test_what_there_is_not_is_told(tmp_path):
    network = graph("- Linear: {out_features: 3}", inputs="{x: [batch, 4]}")
    module = build(network)
    wrong = [
        refusal(kernels, module, network, tmp_path / "kernels.png"),
        refusal(features, module, network, (torch.zeros(1, 4),), tmp_path / "features.png"),
        refusal(curves, [], tmp_path / "curves.png"),
        refusal(confusion, np.zeros((0, 0)), None, tmp_path / "confusion.png"),
    ]
    found = [error.diagnostics[0] for error in wrong]
    assert all(isinstance(entry, NothingToDraw) and entry.severity is Severity.WARNING for entry in found)
    assert [entry.text for entry in found] == [
        "kernels.png is not drawn: the network has no convolution",
        "features.png is not drawn: no layer gives images",
        "curves.png is not drawn: no epoch has ended",
        "confusion.png is not drawn: there are no classes",
    ]
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (found,) = refusal(curves, run(2), tmp_path / "curves.png").diagnostics
    assert isinstance(found, PicturesNeedMatplotlib)
    assert found.severity is Severity.WARNING
    assert "netspec-onnx[train]" in found.fill(found.help)


def test_a_picture_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "taken").touch()
    (found,) = refusal(curves, run(2), tmp_path / "taken" / "curves.png").diagnostics
    assert isinstance(found, CannotWrite)


def test_the_same_run_gives_the_same_bytes_whatever_the_user_s_settings(tmp_path):
    curves(run(5), tmp_path / "a.png")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.bbox": "tight"}):
        curves(run(5), tmp_path / "b.png")
        assert mpl.rcParams["font.size"] == 30
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_tiles_stand_in_their_places():
    tiles = np.arange(2 * 3 * 2 * 2, dtype=np.float32).reshape(2, 3, 2, 2)
    image = mosaic(tiles, 1)
    assert image.shape == (5, 8)
    np.testing.assert_array_equal(image[3:, 6:], tiles[1, 2])
    assert np.isnan(image[2]).all()
    assert np.isnan(image[:, [2, 5]]).all()


@pytest.mark.parametrize(("length", "limit"), [(1, 5), (5, 5), (100, 7), (3, 1)])
def test_what_is_thinned_keeps_its_ends(length, limit):
    chosen = thinned(length, limit).tolist()
    assert len(chosen) == min(length, limit)
    assert chosen[0] == 0
    assert chosen[-1] == (length - 1 if limit > 1 else 0)
