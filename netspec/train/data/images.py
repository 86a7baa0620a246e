"""One image file decoded: grey or RGB bytes, upright."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netspec.diagnostics import Diagnostic, DiagnosticError, printable

if TYPE_CHECKING:
    from PIL.Image import Image

PIXEL_LIMIT = 2**26
"""Pixels of an image; a file of a few kilobytes can claim billions."""

FORMATS = ("PNG", "JPEG")
SUFFIXES = (".png", ".jpg", ".jpeg")
MODES = {1: "L", 3: "RGB"}
"""Pillow's names for what a network takes, by its channels."""


class PillowMissing(Diagnostic):
    """Images are to be read, and Pillow is not installed."""

    code = "NS447"
    message = "reading images needs Pillow, which is not installed"

    @property
    def help(self) -> str:
        return "pip install 'netspec-onnx[train]'"


class ImageUnreadable(Diagnostic):
    """An image that is cut off, damaged, or no image."""

    code = "NS443"
    message = "cannot read the image {path}: {reason}"

    path: str
    reason: str

    @property
    def help(self) -> str:
        return "mend it, or remove it from the folder"


class ImageTooLarge(Diagnostic):
    """An image that would expand beyond the limit."""

    code = "NS444"
    message = "the image {path} has {width:,} x {height:,} pixels; the limit is {limit:,} in all"

    path: str
    width: int
    height: int
    limit: int = PIXEL_LIMIT

    @property
    def help(self) -> str:
        return "make it smaller, or remove it from the folder"


def need_pillow() -> None:
    """Errors: NS447."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise DiagnosticError(PillowMissing()) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without Pillow's remarks on odd files; what matters of them is an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decode(path: Path, channels: int) -> NDArray[np.uint8]:
    """An image as bytes (channels, H, W), one channel or three, turned as its EXIF orientation says.

    Transparency is dropped; of 16 bits a channel the upper 8 are kept.

    Errors: NS443, NS444.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    shown = printable(str(path))
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height > PIXEL_LIMIT:
                raise DiagnosticError(ImageTooLarge(path=shown, width=width, height=height))
            ImageOps.exif_transpose(image, in_place=True)
            pixels = np.asarray(_eight_bits(image).convert(MODES[channels]))
    except DiagnosticError:
        raise
    except Image.DecompressionBombError as error:  # far beyond the limit: Pillow refuses to open it
        raise DiagnosticError(ImageUnreadable(path=shown, reason="it expands to too many pixels")) from error
    except UnidentifiedImageError as error:
        raise DiagnosticError(ImageUnreadable(path=shown, reason="it is no PNG or JPEG image")) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DiagnosticError(ImageUnreadable(path=shown, reason=printable(reason).lower())) from error
    except Exception as error:  # whatever a decoder trips over in a stranger's file is the file's fault
        reason = f"it is damaged ({printable(str(error) or type(error).__name__)})"
        raise DiagnosticError(ImageUnreadable(path=shown, reason=reason)) from error
    planes = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(planes)


def _eight_bits(image: Image) -> Image:
    """Grey of 16 bits as grey of 8, which Pillow's own conversion would cut off at 255."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    return Image.fromarray((values >> 8).clip(0, 255).astype(np.uint8))
