"""Operators of the ONNX standard whose implementation in onnx.reference is slow or wrong.

Each is written from the operator's definition in the standard, in the dtype of its input.
"""

from netspec.verify.reference_ops import (
    activation,
    convolution,
    movement,
    recurrence,
    resize,
    windows,
)

OVERRIDES = (
    *windows.OVERRIDES,
    *movement.OVERRIDES,
    *activation.OVERRIDES,
    *convolution.OVERRIDES,
    *recurrence.OVERRIDES,
    *resize.OVERRIDES,
)
