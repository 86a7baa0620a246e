"""Steps that no condition, loop or repetition lets be taken: what of them must hold all the same."""

from __future__ import annotations

from collections.abc import Mapping

from netspec.diagnostics import Collector
from netspec.ir.dim import Bounds
from netspec.language.arguments import UnknownDimension, make_operation
from netspec.language.bindings import Binder
from netspec.language.blocks import Block
from netspec.language.callables import Callables
from netspec.language.resolve import Unevaluated
from netspec.language.steps import Call


class LeftOut:
    """Checks the operations and the arguments of steps that were never taken, as far as they are written out.

    An expression may be right only where its step is taken, and so may the arguments of an operation that is
    a parameter: of these nothing is said.
    """

    def __init__(self, callables: Callables, bounds: Mapping[str, Bounds], collector: Collector) -> None:
        self.callables = callables
        self.collector = collector
        self._binder = Binder(callables, collector)
        self._resolver = Unevaluated({}, bounds, collector, complete=False)

    def check(self, step: Call, *, named: bool) -> None:
        """Check one step; if it is `named`, that there is such an operation was checked where it stands.

        Errors: NS204 wrong values, NS205 unknown operations, NS206 unknown and NS207 missing arguments, NS230
        arguments without names.
        """
        if not step.operation or step.operation.startswith("$") or step.broken:
            return
        names = Collector() if named else self.collector
        found = self.callables.find(step.operation, step.place, names)
        if isinstance(found, Block):
            arguments = step.arguments
            self._binder.arguments(found, arguments, step.place, self._resolver, {}, self._resolver)
        elif found is not None:
            faults = Collector()
            make_operation(found, step.arguments, step.place, self._resolver, faults, {})
            # A block may name a dimension that only some of the specs have that use it.
            self.collector.extend(f for f in faults.diagnostics if not isinstance(f, UnknownDimension))
