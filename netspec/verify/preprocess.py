"""How raw data becomes an input, as its preprocess says: resize, scale, mean, standard deviation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netspec.ir.graph import Preprocess
from netspec.verify.tolerance import Array

BYTE_SCALE = 1 / 255


def preprocess(images: Array, rule: Preprocess | None) -> NDArray[np.float32]:
    """Images (N, C, H, W), or any other samples (N, ...) without resize, as float32 input.

    Resized to (height, width), times scale, minus mean, over std; mean and std are one number or one a
    channel. Without a rule bytes become 0 to 1, and everything else stays as it is.
    """
    if rule is None:
        x = images.astype(np.float32)
        return x * np.float32(BYTE_SCALE) if images.dtype == np.uint8 else x
    x = images.astype(np.float32)
    if rule.resize is not None:
        x = resize(x, rule.resize)
    if rule.scale is not None:
        x *= np.float32(rule.scale)
    if rule.mean is not None:
        x -= _by_channel(rule.mean, x.ndim)
    if rule.std is not None:
        x /= _by_channel(rule.std, x.ndim)
    return x


def _by_channel(values: tuple[float, ...], rank: int) -> NDArray[np.float32]:
    return np.array(values, np.float32).reshape(1, -1, *[1] * (rank - 2))


def resize(images: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Bilinear interpolation of (N, C, H, W) to (N, C, *size).

    The centres of the first and last pixel keep half a pixel from the edge (align_corners false); beyond
    them the edge repeats. Shrinking does not blur first, as in torch's interpolate.
    """
    for axis, length in ((2, size[0]), (3, size[1])):
        images = _interpolate(images, axis, length)
    return images


def _interpolate(images: NDArray[np.float32], axis: int, length: int) -> NDArray[np.float32]:
    have = images.shape[axis]
    if have == length:
        return images
    at = np.clip((np.arange(length) + 0.5) * (have / length) - 0.5, 0, have - 1)
    left = np.floor(at).astype(np.int64)
    right = np.minimum(left + 1, have - 1)
    shape = [1] * images.ndim
    shape[axis] = length
    share = (at - left).astype(np.float32).reshape(shape)
    low, high = np.take(images, left, axis), np.take(images, right, axis)
    mixed: NDArray[np.float32] = low + (high - low) * share
    return mixed
