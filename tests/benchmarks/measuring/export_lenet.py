"""What build_process.py compares with: import torch, export LeNet with torch's own exporter, nothing else."""

from __future__ import annotations

import sys

import torch
from torch import nn

lenet = nn.Sequential(
    nn.Conv2d(1, 6, kernel_size=5, padding=2),
    nn.Sigmoid(),
    nn.AvgPool2d(2),
    nn.Conv2d(6, 16, kernel_size=5),
    nn.Sigmoid(),
    nn.AvgPool2d(2),
    nn.Flatten(),
    nn.Linear(400, 120),
    nn.Sigmoid(),
    nn.Linear(120, 84),
    nn.Sigmoid(),
    nn.Linear(84, 10),
)
assert sum(parameter.numel() for parameter in lenet.parameters()) == 61_706

torch.onnx.export(
    lenet.eval(),
    (torch.randn(2, 1, 28, 28),),
    sys.argv[1],
    dynamo=True,
    dynamic_shapes=({0: torch.export.Dim("batch")},),
    opset_version=18,
    external_data=False,
    verbose=False,
)
