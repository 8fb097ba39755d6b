"""A trace that grows and grows costs about the same for each of its spans."""

from time import perf_counter

import pytest
from milvus_otel_processor.spans.contract import StoreSettings, looked_at_again
from milvus_otel_processor.spans.store import ReferenceStore

from tests.support.harness import ERRORS, Harness, sampling
from tests.support.spans import encoded, span


def growing(spans: int) -> ReferenceStore:
    store = ReferenceStore(StoreSettings(wait=30.0, tells_touched=True), lambda _: None)
    store.ingest(encoded(*[span(1) for _ in range(spans)]), 0.0)
    return store


def test_a_large_trace_is_looked_at_again_when_it_has_grown_by_an_eighth() -> None:
    store = growing(64)
    lengths = []
    for _ in range(200):
        store.ingest(encoded(span(1)), 0.0)
        lengths += [len(trace) for trace in store.touched()]
    expected = [65]
    while looked_at_again(expected[-1]) <= 264:
        expected.append(looked_at_again(expected[-1]))
    assert lengths == expected


def test_it_is_too_large_with_the_very_span_that_makes_it_so() -> None:
    size = len(span(1).SerializeToString())
    store = growing(100)
    for number in range(101, 150):
        store.ingest(encoded(span(1)), 0.0)
        taken = store.take_larger_than(size * 140)
        assert [len(trace) for trace in taken] == ([141] if number == 141 else [])
        if taken:
            break
    store.ingest(encoded(span(1)), 0.0)  # begins anew
    assert store.take_larger_than(size) == []


@pytest.mark.parametrize(
    "settings",
    [{"sample_on_first_match": True}, {"maximum_trace_size_bytes": 1 << 40}],
    ids=lambda found: next(iter(found)),
)
def test_a_span_into_a_trace_of_very_many_costs_little(settings: dict[str, object]) -> None:
    harness = Harness(sampling(ERRORS, **settings))
    many = encoded(*[span(1) for _ in range(5000)])
    for _ in range(20):
        harness.pipeline.ingest(many)
    one = encoded(span(1))
    harness.pipeline.ingest(one)
    took = []
    for _ in range(9):
        began = perf_counter()
        harness.pipeline.ingest(one)
        took.append(perf_counter() - began)
    assert sorted(took)[4] < 0.005  # it was 0.2 s
