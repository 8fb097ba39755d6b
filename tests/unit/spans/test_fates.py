"""What a store says of traces by their id: whether they wait, and what was decided."""

import pytest
from milvus_otel_processor.spans.contract import Store, StoreSettings
from milvus_otel_processor.spans.stores import StoreKind, make_store

from tests.support.spans import encoded, span, trace_id
from tests.support.stores import KINDS


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Store:
    kind: StoreKind = request.param
    settings = StoreSettings(wait=10.0, sampled_cache_size=2, not_sampled_cache_size=2, asks_roots=True)
    return make_store(kind, settings, lambda name: "dropped" if name == b"heartbeat" else None)


def test_nothing_is_known_of_a_trace_that_nobody_has_seen_or_that_waits(store: Store) -> None:
    store.ingest(encoded(span(1)), 0.0)
    assert (store.sampled(trace_id(1)), trace_id(1) in store) == (None, True)
    assert (store.sampled(trace_id(2)), trace_id(2) in store) == (None, False)


def test_what_was_remembered_is_told(store: Store) -> None:
    store.remember(trace_id(1), object())
    store.remember(trace_id(2), None)
    assert (store.sampled(trace_id(1)), store.sampled(trace_id(2))) == (True, False)


def test_a_trace_that_the_name_of_its_root_settled_was_not_sampled(store: Store) -> None:
    store.ingest(encoded(span(1, name="heartbeat")), 0.0)
    assert (store.sampled(trace_id(1)), trace_id(1) in store) == (False, False)


def test_what_is_forgotten_is_not_known(store: Store) -> None:
    for number in range(1, 6):
        store.remember(trace_id(number), object())
    assert [store.sampled(trace_id(number)) for number in range(1, 6)] == [None, None, None, True, True]


@pytest.mark.parametrize("odd", [b"", b"abc", bytes(17)])
def test_what_is_no_trace_id_is_not_known(store: Store, odd: bytes) -> None:
    assert (store.sampled(odd), odd in store) == (None, False)
