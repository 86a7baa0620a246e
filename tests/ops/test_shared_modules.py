"""One module for layers of several sizes: where `weights` and `held` are alike, it serves them all."""

from __future__ import annotations

import dis
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from netspec.diagnostics import DiagnosticError
from netspec.ops.catalogue import FAMILIES, find
from netspec.torch_backend.build import build
from tests.ops.cases import LAYER, layer_of, run
from tests.ops.engines import tensors
from tests.ops.family import family_of

# torch says, once a process, that an even kernel costs a copy of the input, and which recurrence is slow.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths"),
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),
]


def looks_at_its_inputs(op: str) -> bool:
    """Whether `build` does anything with the types of the inputs."""
    found = find(op)
    assert found is not None
    code = found.build.__code__
    types = code.co_varnames[1 : code.co_argcount + bool(code.co_flags & 4)]
    return any(line.opname.startswith("LOAD") and line.argval in types for line in dis.get_instructions(code))


@pytest.mark.parametrize("op", [op for op in FAMILIES if looks_at_its_inputs(op)])
@settings(max_examples=max(8, settings().max_examples // 20))
@given(data=st.data())
def test_a_module_that_is_shared_takes_what_each_layer_gets(op: str, data: DataObject) -> None:
    case = data.draw(family_of(op).strategies[op](False)).static()
    # The same change of every input, so that sizes which must be equal stay so.
    change = data.draw(st.lists(st.sampled_from([0, 0, 1, 2]), min_size=8, max_size=8))
    shapes = (tuple(map(sum, zip(shape, change, strict=False))) for shape in case.shapes)
    changed = replace(case, shapes=tuple(shapes))
    try:
        layer, graph = layer_of(case.graph()), changed.graph()
    except DiagnosticError:
        return  # the operation does not take the other sizes
    made, types, others = layer.op, layer.input_types, layer_of(graph).input_types
    if (made.weights(*types), made.held(*types)) != (made.weights(*others), made.held(*others)):
        return
    network = build(graph)
    setattr(network, LAYER, made.build(*types))
    outputs = run(network.eval(), tensors(changed.feeds()))
    assert [tuple(x.shape) for x in outputs] == [output.value.type.known for output in graph.outputs]
