"""A Graph to a Python file of plain PyTorch, free of netspec.

    Graph ──outline──▶ Part ──programs──▶ Program ──clusters, unified──▶ Class ──document, lines──▶ text

Of a layer, `layers` finds how its module is made (`recorded` watches the call) and what its forward gives
(`traced` runs it on stand-ins); a class that is not torch's comes along (`copied`). `program` and `scopes`
turn an instance of a block into statements, chains and loops; `merging`, `templates` and `parameters` make
one class of the instances that are alike, with what differs as parameters; `forward`, `layout` and `source`
write it down. No operation has to say how it is written.
"""

from __future__ import annotations

from netspec.torch_backend.eject.source import eject

__all__ = ["eject"]
