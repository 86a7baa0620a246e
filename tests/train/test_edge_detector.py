"""The reference's first training: ten steps of gradient descent teach two numbers to find edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from netspec.pipeline import check
from netspec.train.assembling import Options
from netspec.train.training import train
from tests.command_line import SPECS
from tests.train.running import Heard

IMAGE = np.ones((1, 1, 6, 8), np.float32)
IMAGE[..., 2:6] = 0
EDGES = IMAGE[..., :-1] - IMAGE[..., 1:]


@pytest.mark.parametrize("seed", range(3))
def test_ten_steps_teach_the_edge_detector_its_kernel(tmp_path: Path, seed: int) -> None:
    assert EDGES[0, 0, 0].tolist() == [0, 1, 0, 0, 0, -1, 0]
    np.savez(tmp_path / "edges.npz", x_train=IMAGE, y_train=EDGES, x_test=IMAGE, y_test=EDGES)
    drawn = torch.nn.init.xavier_uniform_(
        torch.empty(1, 1, 1, 2), generator=torch.Generator().manual_seed(seed)
    )
    save_file({"edges.weight": drawn}, tmp_path / "drawn.safetensors")
    heard = Heard()
    found = train(
        check(SPECS / "edge_detector.yaml"),
        data_dir=tmp_path,
        out=tmp_path,
        device="cpu",
        weights=tmp_path / "drawn.safetensors",
        options=Options(),
        listener=heard,
        progress=lambda stage, done: None,
    )
    losses = [record.train["loss"] for record in heard.records]
    assert len(losses) == 10
    # The first loss is the given kernel's own, by the definition: the sum over all pixels.
    own = np.einsum("k,nchwk->nchw", drawn.numpy().ravel(), np.stack([IMAGE[..., :-1], IMAGE[..., 1:]], -1))
    assert losses[0] == pytest.approx(((own - EDGES) ** 2).sum(), rel=1e-5)
    assert heard.records[-1].validation["loss"] < 0.1  # after the tenth step
    assert losses == sorted(losses, reverse=True)
    kernel = load_file(found.folder.last_weights)["edges.weight"].ravel()
    assert kernel.tolist() == pytest.approx([1, -1], abs=0.1)
