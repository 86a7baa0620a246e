"""The hash of weights against its definition, written out."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from netspec.onnx_backend import digest
from netspec.onnx_backend.digest import Array, octets, weights_hash

WEIGHTS: dict[str, Array] = {
    "b.weight": np.arange(700, dtype=np.float32).reshape(7, 100),
    "a.bias": np.array([1, 2, 3], np.int64),
    "c": np.array(3, np.float32),
    "ä": np.array([True, False]),
    "d.empty": np.zeros((0, 4), np.float16),
}


def defined(weights, chunk):
    whole = b""
    for name, array in sorted(weights.items()):
        whole += f"{name} {array.dtype.name} {','.join(map(str, array.shape))}\n".encode()
        data = array.tobytes()
        whole += b"".join(sha256(data[i : i + chunk]).digest() for i in range(0, len(data), chunk))
    return sha256(whole).hexdigest()


def test_hash_is_as_defined():
    assert weights_hash(WEIGHTS) == defined(WEIGHTS, 1 << 22)


def test_hash_of_large_tensors_is_as_defined():
    large = {**WEIGHTS, "large": np.random.default_rng(0).integers(0, 255, 9_000_000, dtype=np.uint8)}
    assert weights_hash(large) == defined(large, 1 << 22)


@pytest.mark.parametrize("inline", [0, 100, 10_000])
def test_hash_does_not_depend_on_what_is_hashed_by_threads(monkeypatch, inline):
    monkeypatch.setattr(digest, "_INLINE_LIMIT", inline)
    assert weights_hash(WEIGHTS) == defined(WEIGHTS, 1 << 22)


def test_hash_depends_on_the_order_of_nothing_and_on_all_else():
    expected = weights_hash(WEIGHTS)
    assert weights_hash(dict(reversed(WEIGHTS.items()))) == expected
    changed = [
        {**WEIGHTS, "b.weight": WEIGHTS["b.weight"].reshape(100, 7)},
        {**WEIGHTS, "b.weight": WEIGHTS["b.weight"].view(np.int32)},
        {**WEIGHTS, "b.weight": np.nextafter(WEIGHTS["b.weight"], 1e9)},
        {**WEIGHTS, "b.weight": -WEIGHTS["b.weight"]},
        {("e" if name == "c" else name): array for name, array in WEIGHTS.items()},
        {name: array for name, array in WEIGHTS.items() if name != "d.empty"},
    ]
    assert expected not in map(weights_hash, changed)


def test_octets_of_tensors_that_do_not_lie_in_order():
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert bytes(octets(array.T)) == array.T.tobytes()
    assert bytes(octets(array[:, ::2])) == array[:, ::2].tobytes()
    assert bytes(octets(array.astype(">f4"))) == array.astype("<f4").tobytes()
    assert bytes(octets(np.zeros((0, 3)))) == b""


def test_octets_are_a_view():
    array = np.zeros(4, np.float32)
    data = octets(array)
    array[0] = 1
    assert bytes(data) == array.tobytes()


def test_byte_order_does_not_change_the_hash():
    swapped = {name: array.astype(array.dtype.newbyteorder(">")) for name, array in WEIGHTS.items()}
    assert weights_hash(swapped) == weights_hash(WEIGHTS)
