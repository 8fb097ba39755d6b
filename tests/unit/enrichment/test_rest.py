"""Requests over HTTP: those of version 2 have a span of their own, the work for those of version 1 is a trace of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.enrichment import MILLISECOND, Bench, attributes, decoded, line, span, trace_of
from tests.support.recordings import Recording
from tests.support.replayed import replay

if TYPE_CHECKING:
    from milvus_otel_processor.spans.contract import Trace


def searched(collection: str, *, trace_id: str = "Unknown", end: int = 5 * MILLISECOND, **more: Any) -> str:
    """The line of a search over version 1 of the REST interface, of 5 ms."""
    return line("/v1/vector/search", collection, end=end, trace_id=trace_id, peer="127.0.0.1", sdk="Restful", **more)


def work(number: int = 1, *, start: int = 200_000, cost: int = 4 * MILLISECOND) -> Trace:
    """The trace of the work for a search, within the time of its line."""
    trace_id = number.to_bytes(16, "big")
    root = span(number, "Proxy-Search", start=start, cost=cost, trace_id=trace_id)
    return trace_of(root, span(number + 100, "SearchTask", parent=number, start=start, trace_id=trace_id))


def named(bench: Bench, trace: Trace) -> str | None:
    bench.enrich(trace)
    names = {attributes(one).get("db.collection.name") for one in decoded(trace).values()}
    assert len(names) == 1
    found: str | None = names.pop()
    return found


@pytest.mark.parametrize("version", ["2.6.16", "3.0"])
def test_the_work_for_a_recorded_request_of_version_1_is_named_and_fails_as_its_line_does(version: str) -> None:
    replayed = replay(Recording(version, "rest"))
    (search,) = (one for one in replayed.spans.values() if one.name == "Proxy-Search" and not one.parent_span_id)
    has = attributes(search)
    assert (has["db.collection.name"], has["db.namespace"], has["db.operation.name"]) == (
        "restful",
        "default",
        "Search",
    )
    assert search.status.code == Status.STATUS_CODE_ERROR
    assert search.kind == Span.SPAN_KIND_INTERNAL
    tasks = [one for one in replayed.spans.values() if one.trace_id == search.trace_id]
    assert len(tasks) > 5
    assert {attributes(one)["db.collection.name"] for one in tasks} == {"restful"}


@pytest.mark.parametrize("trace_id", ["Unknown", "0a" * 16], ids=["2.6", "3.0"])
def test_the_line_of_the_moment_names_the_work_whatever_its_trace_id(trace_id: str) -> None:
    bench = Bench()
    bench.log(searched("products", trace_id=trace_id), searched("orders", trace_id=trace_id, end=90 * MILLISECOND))
    assert named(bench, work()) == "products"


def test_of_two_requests_of_the_same_moment_neither_s_work_is_named_unless_they_say_the_same() -> None:
    bench = Bench()
    bench.log(searched("products", trace_id="0a" * 16), searched("orders", trace_id="0b" * 16))
    assert named(bench, work()) is None
    assert bench.telemetry.enriched_requests == {"ambiguous": 1}
    bench = Bench()
    bench.log(searched("products", trace_id="0a" * 16), searched("products", trace_id="0b" * 16))
    assert named(bench, work()) == "products"


def test_a_line_whose_work_was_found_is_not_that_of_other_work() -> None:
    bench = Bench()
    bench.log(searched("products"))
    assert [named(bench, work(1)), named(bench, work(2))] == ["products", None]


def test_a_line_that_took_much_longer_than_the_work_is_not_its_line() -> None:
    bench = Bench()
    bench.log(searched("products", end=9 * MILLISECOND))
    assert named(bench, work(start=6 * MILLISECOND, cost=1 * MILLISECOND)) is None


def test_only_work_of_version_1_may_have_failed_by_a_failed_line_of_it() -> None:
    bench = Bench()
    may = bench.enrichment.enricher.may_fail
    assert not may(work())
    bench.log(searched("products", trace_id="0a" * 16, status="Failed", code="5", message="no"))
    assert may(work())
    assert not may(trace_of(span(3, "Proxy", trace_id=(3).to_bytes(16, "big"))))


def test_nothing_is_left_of_forgotten_lines_of_version_1() -> None:
    bench = Bench()
    bench.log(searched("products", trace_id="0a" * 16, status="Failed", code="5"), searched("orders"))
    bench.clock.now += 1000
    bench.log(line("Search"))
    assert bench.enrichment.access_log is not None
    store = bench.enrichment.access_log._store
    assert (len(store), store.holds_lines_of_version_1, store.holds_failures_of_version_1) == (1, False, False)
