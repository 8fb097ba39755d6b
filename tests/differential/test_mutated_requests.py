"""Mutated requests for protobuf and both stores, in short; the program `fuzz_requests` does two million."""

from random import Random
from typing import Any

import pytest
from milvus_otel_processor.spans.contract import Arrived, Store, StoreSettings, Trace
from milvus_otel_processor.spans.store import ReferenceStore

from tests.differential.fuzz_requests import Comparison, fuzz, mutants
from tests.support import official
from tests.support.spans import encoded, span
from tests.support.stores import native_store_there

__all__ = ["native_store_there"]

REQUESTS = 2000


@pytest.mark.usefixtures("native_store_there")
@pytest.mark.parametrize("seed", range(3))
def test_protobuf_and_both_stores_make_the_same_of_mutated_requests(seed: int):
    counts, data, found = fuzz(REQUESTS, seed, thorough=10)
    assert (found, data) == ("no difference", None)
    assert counts.total() == REQUESTS
    assert min(counts[what] for what in ("taken", "refused", "taken with malformed spans")) > REQUESTS / 10


class Faulty(ReferenceStore):
    """A store with a fault."""

    def __init__(self, fault: str) -> None:
        super().__init__(StoreSettings(1.0), lambda _: None)
        self._fault = fault

    def ingest(self, request: bytes, now: float) -> Arrived:
        arrived = super().ingest(request, now)
        return arrived._replace(refused=arrived.refused + 1) if self._fault == "miscounts" else arrived

    def take_oldest(self, limit: int) -> list[Trace]:
        taken: list[Any] = super().take_oldest(limit)
        return taken[1:] if self._fault == "loses a trace" else taken


@pytest.mark.parametrize("fault", ["miscounts", "loses a trace"])
@pytest.mark.parametrize("both", [False, True], ids=["in one", "in both"])
def test_a_fault_of_one_store_or_of_both_is_found(fault: str, both: bool):
    def stores() -> tuple[Store, Store]:
        return Faulty(fault if both else "none"), Faulty(fault)

    assert Comparison(stores).difference(encoded(span(1), span(2))) is not None
    assert Comparison(lambda: (Faulty("none"), Faulty("none"))).difference(encoded(span(1), span(2))) is None


def test_mutants_are_the_same_for_the_same_seed():
    assert list(mutants(Random(7), 20)) == list(mutants(Random(7), 20))


def test_protobuf_decodes_texts_that_are_not_utf_8_as_the_collector_does():
    request = encoded(span(1, name="name")).replace(b"name", b"n\xffme")
    rows = official.rows(request)
    assert rows is not None
    assert b"n\xffme" in rows[0].span
