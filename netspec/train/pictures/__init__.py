"""The pictures of a run: how it went, what is taken for what, what the layers look for and see."""

from __future__ import annotations

from netspec.train.pictures.confusion import confusion
from netspec.train.pictures.curves import curves
from netspec.train.pictures.features import features
from netspec.train.pictures.figure import NothingToDraw, PicturesNeedMatplotlib
from netspec.train.pictures.kernels import kernels

__all__ = ["NothingToDraw", "PicturesNeedMatplotlib", "confusion", "curves", "features", "kernels"]
