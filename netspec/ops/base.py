"""What an operation is: a frozen argument list whose methods are its rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict

from netspec.diagnostics import Diagnostic
from netspec.ir.cost import Cost
from netspec.ir.dim import Size
from netspec.ir.tensor import DType, Shape, TensorType
from netspec.ir.window import Window

if TYPE_CHECKING:
    from torch import nn

Types = TensorType | tuple[TensorType, ...]


class Fault(Exception):
    """A rule that an operation's arguments or inputs break: a diagnostic without a place.

    `field` is the argument at fault, if one is: the caller points there, otherwise at the operation.
    `input` is the index of the input whose origin a note should show.
    """

    def __init__(self, diagnostic: Diagnostic, *, field: str | None = None, input: int | None = None) -> None:
        self.diagnostic = diagnostic
        self.field = field
        self.input = input

    def __str__(self) -> str:
        return self.diagnostic.text


class AtLeast(NamedTuple):
    """A size must be `minimum` or more; where it is symbolic, this bounds its symbols from below."""

    size: Size
    minimum: int
    otherwise: Fault


class Same(NamedTuple):
    """Two sizes must be equal, for every value that their symbols may take."""

    left: Size
    right: Size
    otherwise: Fault


Demand = AtLeast | Same | Fault
"""What an operation demands of its inputs. A Fault is a demand that does not hold whatever the sizes are;
where it leaves the output's type and the other demands without a meaning, it is raised instead."""


class Weight(NamedTuple):
    """One tensor that an operation owns, under the name that its torch module gives it.

    `trained` is true of parameters and false of buffers (running statistics), which are saved and
    exported but not counted as parameters.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType = DType.FLOAT32
    trained: bool = True


class Indexed(NamedTuple):
    """An output of integers that says where in an input an element stands that was selected.

    An index counts over the elements of `axes` of the input with the number `input`, the last axis fastest.
    The output has its own sizes along these axes, or lacks them all (ArgMax without keepdim).
    """

    input: int
    axes: tuple[int, ...]


class Compared(NamedTuple):
    """An output of truth values that says how one input compares with another, or with a number."""

    left: int
    right: int | None = None
    number: float = 0.0


Decision = Indexed | Compared


class Op(BaseModel):
    """One operation of the catalogue, with its arguments.

    A subclass bears the name of the torch.nn class that it computes; its fields are that class's arguments
    with their defaults. `infer`, `build` and `lower` say independently of each other what it computes: on
    types, in torch, in ONNX. The caller checks `demands` first; `infer` then may assume that they hold and
    gives UNKNOWN for a size that has no meaning.

    `arguments` names the inputs, in order; the last `optional` of them may be left out, and the rules then
    get None for their types (`lower` gets "", as ONNX writes it). A `variadic` operation takes its last one
    any number of times.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)

    arguments: ClassVar[tuple[str, ...]] = ("input",)
    optional: ClassVar[int] = 0
    variadic: ClassVar[bool] = False

    def ports(self, *inputs: Any) -> tuple[str, ...]:
        """Names of the outputs, given the input types; the first is what the layer's name alone means."""
        return ("output",)

    def sizes(self, *inputs: Any) -> Mapping[str, Shape]:
        """What the torch module is called with beside its inputs: sizes, by argument."""
        return {}

    @property
    def writes_constants(self) -> bool:
        """Whether `lower` writes the real arguments as constants of the element type, not as attributes."""
        return False

    def demands(self, *inputs: Any, **_: Any) -> Iterable[Demand]:
        """What must hold of the inputs' sizes; raises Fault where a rule does not depend on a symbol."""
        return ()

    def remarks(self, *inputs: Any, **_: Any) -> Iterable[Fault]:
        """What is allowed but likely a mistake; the caller reports these as warnings."""
        return ()

    # As many TensorType parameters as there are inputs; one type, or a tuple of one per port.
    infer: ClassVar[Callable[..., Types]]

    def weights(self, *inputs: Any, **_: Any) -> tuple[Weight, ...]:
        """The tensors that the operation owns, in the order of its module's state dict."""
        return ()

    def window(self, *inputs: Any, **_: Any) -> Window | None:
        """The window over the trailing axes that an output element sees; None where it is not a window.

        An operation that acts on every element alone has the empty window.
        """
        return ()

    def cost(self, *types: Any, **_: Any) -> Cost:
        """Multiply-adds over the whole batch; called with the input types, then the output types."""
        return Cost()

    def held(self, *inputs: Any) -> object:
        """What `build` takes from the inputs' shapes, beside the shapes of `weights`.

        A module that several layers share must be the one that each of them would make.
        """
        return ()

    # The input types -> the torch module. Imports torch inside.
    build: ClassVar[Callable[..., nn.Module]]

    def exact(self, module: Any, dtype: DType) -> Callable[..., Any] | None:
        """What the float64 oracle calls in place of the module's forward, which this does by default.

        Needed where torch has constants inside that are not exactly representable in `dtype`, which the
        file has (SELU's scale, Hardsigmoid's 1/6): this computes with them as rounded.
        """
        return None

    def decides(self, port: int, *inputs: Any) -> Decision | None:
        """What the output with the index `port` decides by comparing real numbers; None where nothing.

        Numbers that are equal but for their rounding may be told apart either way. Verification therefore
        judges an index by the value that it points at, and a truth value where its operands are that close
        not at all. Integers that are computed are judged exactly, and need nothing here.
        """
        return None

    @property
    def kept_open(self) -> tuple[int, ...]:
        """The inputs, by number, that are masks and make NaN of a row which is true throughout.

        Verification can say nothing of NaN: it draws the first element of every row false, in all of these
        masks, so that together they leave it open.
        """
        return ()

    def terms(self, *inputs: Any) -> Size:
        """How many elements a runtime adds one after the other, where outputs are as many as inputs (CumSum).

        Verification grants what that rounds; of how many elements a mean is taken, it sees for itself.
        """
        return 1

    # lower(graph: Emitter, *inputs: str, weights=Weights) -> the tensor's name, or a tuple of one per port.
    lower: ClassVar[Callable[..., str | tuple[str, ...]]]

    @classmethod
    def has_lowering(cls) -> bool:
        """Whether it has a lowering of its own; one from outside may leave that to torch's exporter."""
        return hasattr(cls, "lower") or cls.emit is not Op.emit

    @property
    def is_lowered(self) -> bool:
        """The same of one operation."""
        return self.has_lowering()

    def emit(self, graph: Any, *inputs: str, weights: Any) -> str | tuple[str, ...]:
        """What the exporter calls: `lower`, but where an argument of that name hides it (RReLU has one)."""
        if not self.is_lowered:
            from netspec.onnx_backend.traced import lower_by_export

            return lower_by_export(self, graph, *inputs, weights=weights)
        return self.lower(graph, *inputs, weights=weights)
