"""Names: what they may be, how steps without one are called, and what is kept from PyTorch's attributes."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import fx, nn

from netspec.language.names import MODULE_ATTRIBUTES, NAME_LIMIT, check_name, reason_against, snake_case
from tests.language.spec_text import codes, faults, graph


class Used(nn.Module):
    """A module with a parameter, a buffer and a child, so that all its tables exist."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(1, 1)

    def forward(self, x):
        return self.inner(x)


def attributes() -> set[str]:
    """Every attribute of the modules that a network can consist of."""
    traced = fx.symbolic_trace(Used())
    modules = (nn.Module(), Used(), traced)
    own = {"inner"}
    return {name for module in modules for name in dir(module) if not name.startswith("__")} - own


def test_no_attribute_of_a_module_can_be_a_name() -> None:
    allowed = {name for name in attributes() if reason_against(name) is None}
    assert not allowed


def test_the_literal_list_holds_nothing_that_pytorch_does_not_have() -> None:
    """Attributes come and go between the versions of PyTorch; a few that went do no harm, many would."""
    assert len(MODULE_ATTRIBUTES - attributes()) <= 10


@pytest.mark.parametrize(
    "name", ["a", "A", "_x", "conv2d_1", "x" * NAME_LIMIT, "match", "type_", "self", "None_"]
)
def test_allowed(name: str) -> None:
    assert reason_against(name) is None


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            "1a",
            "a-b",
            "a.b",
            "a b",
            "é",
            "x\n",
            "\ud800",
            "x" * (NAME_LIMIT + 1),
            "prev",
            "in",
            "__a",
        ),
        *("forward", "training", "code", "graph", "half", "float", "_parameters", "T_destination"),
        *("__class__", "None", "True", "async"),
    ],
)
def test_refused(name: str) -> None:
    assert reason_against(name) is not None


@given(st.text(max_size=50) | st.sampled_from([*keyword.kwlist, *sorted(MODULE_ATTRIBUTES)]))
def test_what_is_suggested_is_allowed(name: str) -> None:
    fault = check_name(name, "a layer")
    if fault is not None and fault.instead is not None:
        assert reason_against(fault.instead) is None


@given(st.text(max_size=30))
def test_an_allowed_name_is_an_identifier_and_no_keyword(name: str) -> None:
    if reason_against(name) is None:
        assert name.isidentifier()
        assert name.isascii()
        assert not keyword.iskeyword(name)


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("Conv2d", "conv2d"),
        ("BatchNorm2d", "batch_norm2d"),
        ("ReLU", "relu"),
        ("LeakyReLU", "leaky_relu"),
        ("LPPool2d", "lp_pool2d"),
        ("ConvTranspose2d", "conv_transpose2d"),
        ("AdaptiveAvgPool2d", "adaptive_avg_pool2d"),
        ("LSTM", "lstm"),
        ("LogSoftmax", "log_softmax"),
        ("Add", "add"),
        ("MultiheadAttention", "multihead_attention"),
        ("Identity", "identity"),
    ],
)
def test_snake_case(operation: str, name: str) -> None:
    assert snake_case(operation) == name


def test_numbers_count_every_step_of_an_operation() -> None:
    network = graph(
        """
        - ReLU
        - Conv2d: {out_channels: 3, kernel_size: 1}
          name: features
        - ReLU
        - Conv2d: {out_channels: 3, kernel_size: 1}
        - ReLU:
          name: last
        - ReLU
        """
    )
    assert [node.name for node in network] == ["relu_1", "features", "relu_2", "conv2d_2", "last", "relu_4"]


def test_a_step_that_is_repeated_no_time_still_counts() -> None:
    network = graph(
        """
        - ReLU:
          repeat: 0
        - ReLU
        """
    )
    assert [node.name for node in network] == ["relu_2"]


@pytest.mark.parametrize(
    "layers",
    [
        "- {ReLU: , name: a}\n- {ReLU: , name: a}",
        "- ReLU\n- {Sigmoid: , name: relu_1}",
        "- {Sigmoid: , name: relu_1}\n- ReLU",
        "- {Sigmoid: , name: image}",
    ],
)
def test_a_name_is_given_once(layers: str) -> None:
    assert codes(faults(layers)) == ["NS211"]


def test_a_broken_step_keeps_the_numbers_of_the_others() -> None:
    found = faults(
        """
        - Conv2D: {out_channels: 3, kernel_size: 1}
        - Conv2d: {out_channels: 3, kernel_size: 1}
        - Add:
          from: [conv2d_1, conv2d_2, conv2d_3]
        """
    )
    assert codes(found) == ["NS205", "NS212"]
    assert found[1].text == "nothing is called conv2d_3"


def test_a_name_that_is_left_empty_is_none() -> None:
    """It hides nothing: other names are as wrong as ever."""
    assert list(graph("- ReLU:\n  name:\n- ReLU").by_name) == ["relu_1", "relu_2"]
    assert codes(faults("- ReLU:\n  name:\n- Add:\n  from: [image, missing]")) == ["NS212"]
