"""How the trace ids of probes begin: whoever sends one wants to be told what became of it, however many traces come beside it."""

from __future__ import annotations

import os
from typing import Final

MARK: Final = bytes.fromhex("d0c70500")
"""The first bytes of such an id. The rest is random, so rules that go by the id treat it like any other."""


def new_trace_id() -> bytes:
    """Return a trace id for a probe."""
    return MARK + os.urandom(16 - len(MARK))
