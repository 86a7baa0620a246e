"""What symbolic arithmetic cannot do; the caller that knows the layer turns these into diagnostics."""

from __future__ import annotations


class DimError(ArithmeticError):
    """An operation on symbolic dimensions that has no symbolic result."""


class UndecidableError(DimError):
    """A quotient by a symbolic dimension that does not come out even."""

    def __init__(self, dividend: object, divisor: object) -> None:
        super().__init__(f"whether {divisor} divides {dividend} depends on their values")
        self.dividend = dividend
        self.divisor = divisor


class ComplexityError(DimError):
    """A symbolic dimension that grew beyond what can be computed with."""

    def __init__(self) -> None:
        super().__init__("the expression of this symbolic dimension becomes too large to reason about")
