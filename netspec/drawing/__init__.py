"""The graph as a picture: boxes that nest, layers in them, and the shapes of what flows between."""

from __future__ import annotations

from netspec.drawing.picture import Picture, draw

__all__ = ["Picture", "draw"]
