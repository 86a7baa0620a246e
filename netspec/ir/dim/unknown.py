"""The size that nothing is known of."""

from __future__ import annotations

from typing import Any


class Unknown:
    """A size that an earlier error left unknown: whatever is computed from it is unknown too."""

    __slots__ = ()
    _instance: Unknown | None = None

    def __new__(cls) -> Unknown:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def _absorb(self, other: Any) -> Unknown:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _absorb
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _absorb

    def __neg__(self) -> Unknown:
        return self

    def __reduce__(self) -> str:
        return "UNKNOWN"  # copies and pickles are the one instance too

    def __str__(self) -> str:
        return "?"

    __repr__ = __str__


UNKNOWN = Unknown()
