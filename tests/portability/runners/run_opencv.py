"""OpenCV's DNN module on its own CPU backend; outputs have no order there but their names'."""

from __future__ import annotations

from pathlib import Path

import cv2  # type: ignore[import-not-found]

from tests.portability.runners.protocol import Feeds, Run, serve

HAS_BOOL = int(cv2.__version__.partition(".")[0]) >= 5


def load(path: str) -> Run:
    """A net; outputs by name."""
    net = cv2.dnn.readNetFromONNX(path)
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    names = Path(path).with_name("outputs.txt").read_text(encoding="utf-8").split()

    def run(feeds: Feeds) -> Feeds:
        for name, feed in feeds.items():
            # Before OpenCV 5 its arrays know no truth values.
            net.setInput(feed if feed.dtype != bool or HAS_BOOL else feed.astype("uint8"), name)
        return dict(zip(names, net.forward(names), strict=True))

    return run


serve(cv2.__version__, load)
