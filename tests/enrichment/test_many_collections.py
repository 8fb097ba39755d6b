"""10,000 collections: all are known, in little memory, and spans wait no longer while they are read.

The catalogue, its thread and the pipeline are the real ones; what they read is not, see `many_collections`.
"""

from __future__ import annotations

import gc
import sys
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.enrichment.catalogue import refresher

from tests.enrichment.many_collections import Run, lasting, milvus_with, p99

if TYPE_CHECKING:
    from milvus_otel_processor.enrichment.catalogue.catalogue import Catalogue

COLLECTIONS = 10_000
MEMORY_MIB = 100.0
ROUND_SECONDS = 1.5
STALL_MILLISECONDS = 500.0
"""What a decision may be late by on any machine; 40 ms is usual, because traces wait for the next tick."""
NOISE = 2.0
"""How many times as late decisions may be while the catalogue is read; it is 1.0 on a machine that does nothing else."""


@pytest.mark.timeout(180)
def test_spans_wait_no_longer_while_ten_thousand_collections_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with milvus_with(COLLECTIONS) as port:
        idle = Run(port, COLLECTIONS, enabled=False)
        run = Run(port, COLLECTIONS, interval="1s", miss_interval="10ms")
        catalogue = run.enrichment.catalogue
        without = [p99(idle.lateness(lasting(ROUND_SECONDS)))]
        # Without the pauses, which would make minutes of it: spans meet a catalogue that never rests.
        with monkeypatch.context() as hurried:
            hurried.setattr(refresher, "_REST_SHARE", 0.0)
            run.enrichment.start()
            hurry = p99(run.lateness(lambda: len(catalogue) < COLLECTIONS, period=0.05))
        # All are known and are listed again, and those that requests use are read again, as when it runs for long.
        before = run.listings
        reading = [p99(run.lateness(lasting(ROUND_SECONDS))) for _ in range(2)]
        listings = run.listings - before
        run.enrichment.stop(5)
        without.append(p99(idle.lateness(lasting(ROUND_SECONDS))))
    assert {one.name for one in catalogue.all()} == {f"collection_{number}" for number in range(COLLECTIONS)}
    assert _mib(catalogue) < MEMORY_MIB
    assert listings > 0
    assert max(hurry, *reading) < STALL_MILLISECONDS
    # What stalls spans does so in each round; what else the machine does mostly not.
    assert min(reading) < NOISE * max(without)


def _mib(catalogue: Catalogue) -> float:
    """What the catalogue holds in memory: every object that can be reached from it, each once."""
    elsewhere = (type, FunctionType, MethodType, ModuleType)
    found: dict[int, object] = {}
    left: list[object] = [catalogue]
    while left:
        one = left.pop()
        if id(one) not in found and not isinstance(one, elsewhere):
            found[id(one)] = one
            left += gc.get_referents(one)
    return sum(map(sys.getsizeof, found.values())) / 2**20
