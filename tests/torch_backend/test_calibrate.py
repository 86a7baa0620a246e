"""Statistics of untrained batch normalisations, held against means and variances taken by hand."""

from __future__ import annotations

import re

import torch
from torch import nn

from netspec.torch_backend.calibrate import calibrate, has_statistics
from tests.torch_backend.specs_as_modules import graph_of, module_of

TEXT = """
    netspec: 1
    inputs: {x: [batch, 2, 4, 4]}
    layers:
      - {Conv2d: {out_channels: 3, kernel_size: 3}, name: conv}
      - {BatchNorm2d: {momentum: 0.3}, name: one}
      - Dropout
      - Flatten
      - {Linear: {out_features: 5}, name: linear}
      - {BatchNorm1d: {momentum: null}, name: two}
"""


def test_statistics_are_those_of_the_batch(tmp_path):
    module = module_of(graph_of(TEXT, tmp_path))
    module.dropout_1.eval()
    module.one.running_mean.fill_(100)
    x = torch.randn(8, 2, 4, 4)
    calibrate(module, [x])

    seen = module.conv(x)
    torch.testing.assert_close(module.one.running_mean, seen.mean((0, 2, 3)))
    torch.testing.assert_close(module.one.running_var, seen.var((0, 2, 3), unbiased=True))
    mean, var = seen.mean((0, 2, 3), keepdim=True), seen.var((0, 2, 3), keepdim=True, unbiased=False)
    normal = (seen - mean) / (var + 1e-5).sqrt()  # dropout is off: this is what the next layers saw
    seen = module.linear(normal.flatten(1))
    torch.testing.assert_close(module.two.running_mean, seen.mean(0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(module.two.running_var, seen.var(0), atol=1e-5, rtol=1e-5)


def test_modes_momenta_and_counters_are_as_before(tmp_path):
    module = module_of(graph_of(TEXT, tmp_path))
    module.eval()
    module.one.train()
    weights = {name: value.clone() for name, value in module.named_parameters()}
    calibrate(module, [torch.randn(4, 2, 4, 4)])
    modes = {name: part.training for name, part in module.named_modules()}
    assert {name for name, training in modes.items() if training} == {"one"}
    assert (module.one.momentum, module.two.momentum) == (0.3, None)
    assert module.one.num_batches_tracked == 0
    assert all(torch.equal(value, weights[name]) for name, value in module.named_parameters())
    assert all(value.grad is None for value in module.parameters())


def test_only_running_statistics_count(tmp_path):
    assert has_statistics(module_of(graph_of(TEXT, tmp_path)))
    without = re.sub(r"momentum: \S+(?=})", "track_running_stats: false", TEXT)
    module = module_of(graph_of(without, tmp_path))
    assert not has_statistics(module)
    calibrate(module, [torch.randn(4, 2, 4, 4)])
    assert not has_statistics(nn.Sequential(nn.Linear(2, 2)))


def test_norms_that_torch_cannot_train_keep_their_statistics(tmp_path):
    """Of one value per channel there is no variance, and torch divides by none without an eps."""
    text = """
        netspec: 1
        inputs: {x: [1, 3]}
        layers: [BatchNorm1d, {Linear: {out_features: 2}}]
    """
    module = module_of(graph_of(text, tmp_path))
    calibrate(module, [torch.randn(1, 3)])
    assert module.batch_norm1d_1.running_mean.tolist() == [0, 0, 0]
    assert module.batch_norm1d_1.running_var.tolist() == [1, 1, 1]

    text = text.replace("[1, 3]", "[batch, 3]").replace("BatchNorm1d,", "BatchNorm1d: {eps: 0},")
    module = module_of(graph_of(text.replace("[Batch", "[{Batch").replace("0},", "0}},"), tmp_path))
    calibrate(module, [torch.randn(8, 3)])
    assert module.batch_norm1d_1.running_var.tolist() == [1, 1, 1]
    assert not module.batch_norm1d_1._forward_pre_hooks


def test_instance_normalisations_take_the_mean_of_their_samples(tmp_path):
    text = """
        netspec: 1
        inputs: {x: [batch, 2, 3, 5]}
        layers: [{InstanceNorm2d: {track_running_stats: true, momentum: 0.3}, name: norm}]
    """
    module = module_of(graph_of(text, tmp_path))
    assert has_statistics(module)
    x = 3 + 2 * torch.randn(4, 2, 3, 5)
    calibrate(module, [x])
    torch.testing.assert_close(module.norm.running_mean, x.mean((2, 3)).mean(0))
    torch.testing.assert_close(module.norm.running_var, x.var((2, 3)).mean(0))
    assert (module.norm.momentum, module.norm.num_batches_tracked) == (0.3, 0)


def test_every_norm_with_running_statistics_is_known(tmp_path):
    shapes = {"1d": "[batch, 2, 6]", "2d": "[batch, 2, 3, 2]", "3d": "[batch, 2, 3, 2, 1]"}
    for rank, shape in shapes.items():
        for kind in ("BatchNorm", "InstanceNorm"):
            text = f"""
                netspec: 1
                inputs: {{x: {shape}}}
                layers: [{{{kind}{rank}: {{track_running_stats: true}}, name: norm}}]
            """
            module = module_of(graph_of(text, tmp_path))
            x = 1 + torch.randn(5, 2, *(int(size) for size in shape[1:-1].split(", ")[2:]))
            calibrate(module, [x])
            torch.testing.assert_close(module.norm.running_mean, x.transpose(0, 1).flatten(1).mean(1))


def test_one_value_a_channel_and_sample_has_no_variance_either(tmp_path):
    text = """
        netspec: 1
        inputs: {x: [batch, 2, 1, 1]}
        layers: [{InstanceNorm2d: {track_running_stats: true}, name: norm}]
    """
    module = module_of(graph_of(text, tmp_path))
    calibrate(module, [torch.randn(4, 2, 1, 1)])
    assert module.norm.running_var.tolist() == [1, 1]
