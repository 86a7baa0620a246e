"""The hand-written wire format against protobuf's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto

from netspec.onnx_backend.wire import BYTES, VARINT, WireError, fields, opening, read_varint, varint

WORDS = st.one_of(st.integers(0, 300), st.integers(0, 2**63 - 1))


@given(WORDS)
def test_varint_is_protobufs(value):
    assert b"\x08" + varint(value) == TensorProto(dims=[value]).SerializeToString()
    assert read_varint(varint(value) + b"\xff", 0, len(varint(value))) == (value, len(varint(value)))


@given(st.integers(0, 2**64 - 1))
def test_varint_is_read_back(value):
    assert read_varint(varint(value), 0, 10)[0] == value


@given(st.binary(max_size=300))
def test_opening_makes_a_field_that_protobuf_reads(data):
    assert TensorProto.FromString(opening(9, len(data)) + data).raw_data == data


@given(st.lists(WORDS, max_size=5), st.text(max_size=20), st.binary(max_size=200))
def test_fields_of_a_message_that_protobuf_wrote(dims, name, data):
    content = TensorProto(dims=dims, data_type=7, name=name, raw_data=data).SerializeToString()
    found = list(fields(content, 0, len(content)))
    assert [f.value for f in found if f.number == 1] == dims
    assert [(f.kind, f.value) for f in found if f.number == 2] == [(VARINT, 7)]
    payloads = {f.number: content[f.payload : f.end] for f in found if f.kind == BYTES}
    assert payloads.get(8, b"") == name.encode()
    assert payloads.get(9, b"") == data
    assert b"".join(content[f.start : f.end] for f in found) == content


@given(st.binary(max_size=100))
def test_any_bytes_are_fields_within_them_or_an_error(data):
    try:
        found = list(fields(data, 0, len(data)))
    except WireError:
        return
    assert b"".join(data[f.start : f.end] for f in found) == data
    assert all(f.start < f.payload <= f.end <= len(data) for f in found)


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_cut_message_is_an_error(cut):
    content = NodeProto(name="twelve bytes").SerializeToString()
    with pytest.raises(WireError):
        list(fields(content[:-cut], 0, len(content) - cut))


def test_a_number_that_never_ends():
    with pytest.raises(WireError, match="64 bits"):
        read_varint(b"\x80" * 20, 0, 20)


@pytest.mark.parametrize("kind", [3, 4, 6, 7])
def test_groups_and_unknown_wire_types_are_refused(kind):
    with pytest.raises(WireError, match="wire type"):
        list(fields(bytes([1 << 3 | kind, 0]), 0, 2))


def test_field_zero_is_refused():
    with pytest.raises(WireError):
        list(fields(b"\x00\x00", 0, 2))
