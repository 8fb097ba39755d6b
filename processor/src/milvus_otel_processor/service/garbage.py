"""How often Python's cyclic garbage collector looks."""

from __future__ import annotations

import gc

_YOUNG_OBJECTS, _GENERATIONS = 10_000, (20, 50)
"""From how many new objects on, beyond those that went, they are looked through for cycles; and how often older ones are."""


def tune_garbage_collection() -> None:
    """Have Python's cyclic garbage collector look less often, for a program that is this service alone.

    Waiting traces are many containers without cycles: to look through them again and again was a seventh of all that the service
    costs (measured: docs/decisions.md). It cannot be off: each request leaves a small cycle in `grpc.aio`, and one that is
    refused leaves a large one with all of the request in it, so that a stranger's broken requests would use up the memory.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *_GENERATIONS)
