"""Lines without a trace id: each goes to its own call, or to none."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from milvus_otel_processor.enrichment.pairing.alignment import probabilities
from milvus_otel_processor.enrichment.pairing.likelihood import LONGEST_SURPLUS, fit
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.benchmarks.coverage import measure
from tests.support.enrichment import (
    MILLISECOND,
    PRODUCTS,
    START,
    Bench,
    attributes,
    decoded,
    line,
    served,
    span,
    trace_of,
)
from tests.support.recordings import Recording
from tests.support.spans import with_span

if TYPE_CHECKING:
    from milvus_otel_processor.spans.contract import Trace

MICROSECOND = 1_000
WITH_TRUTH = [
    # recording, named at the least, failures marked at the least
    ("2.5.24", "authorization", 0.995, 0.99),
    ("2.5.24", "databases", 0.995, 0.99),
    ("2.5.24", "busy", 0.99, 0.99),
    ("2.6.16", "authorization", 0.995, 0.99),
    ("2.6.16", "databases", 0.995, 0.99),
    ("2.6.16", "deadlines", 0.99, 0.7),
    ("2.6.16", "go", 0.995, 0.99),
    ("2.6.16", "cluster", 0.995, 0.99),
    ("2.6.16", "python-async", 0.97, 0.99),
    ("2.6.16", "instrumented-ids", 1.0, 1.0),
]


def search(collection: str = "products", *, start: int = 0, cost: int = 5 * MILLISECOND, **more: Any) -> str:
    """The line of a search without a trace id, that ended 40 µs before its span, which began at `start`."""
    return line(
        "Search",
        collection,
        end=start + cost + 20 * MICROSECOND,
        cost=f"{cost / MILLISECOND}ms",
        trace_id="",
        **more,
    )


def call(number: int, *, start: int = 0, cost: int = 5 * MILLISECOND, port: int | None = 5000) -> Trace:
    """A trace with Milvus' span of a search, 60 µs longer than its line says."""
    peer: dict[str, Any] = (
        {"net__sock__peer__addr": "127.0.0.1", "net__sock__peer__port": port} if port is not None else {}
    )
    trace_id = number.to_bytes(16, "big")
    own = served(number, "Search", start=start, cost=cost + 60 * MICROSECOND, trace_id=trace_id, **peer)
    return trace_of(own, span(number + 100, "SearchTask", parent=number, start=start, trace_id=trace_id))


def named(bench: Bench, *traces: Trace) -> list[str | None]:
    """The collections of these traces, all of which have come when the first is enriched."""
    bench.arrived(*traces)
    for trace in traces:
        bench.enrich(trace)
    return [
        attributes(decoded(trace)["milvus.proto.milvus.MilvusService/Search"]).get("db.collection.name")
        for trace in traces
    ]


@pytest.mark.parametrize(("version", "name", "least_named", "least_marked"), WITH_TRUTH)
def test_requests_of_a_recording_get_their_own_collection_and_failure(
    version: str, name: str, least_named: float, least_marked: float
) -> None:
    row = measure(Recording(version, name))
    assert row.wrong == row.marked_wrongly == 0
    assert row.named >= least_named * row.naming
    assert row.marked >= least_marked * row.failed
    assert row.naming > 100


@pytest.mark.parametrize(("lost", "most_wrong"), [(0.05, 0.003), (0.3, 0.02)])
@pytest.mark.parametrize("name", ["python-async", "deadlines", "databases", "cluster"])
def test_lost_spans_and_lines_cost_names_and_make_next_to_none_wrong(name: str, lost: float, most_wrong: float) -> None:
    row = measure(Recording("2.6.16", name), lost=lost)
    assert row.wrong is not None
    assert row.marked_wrongly is not None
    assert row.wrong + row.marked_wrongly <= most_wrong * row.naming
    assert row.named > 0.9 * (1 - lost) * row.naming


def test_calls_of_one_moment_are_told_from_each_other_by_their_cost() -> None:
    bench = Bench()
    bench.log(search("products", cost=5 * MILLISECOND), search("orders", start=300 * MICROSECOND, cost=4 * MILLISECOND))
    assert named(bench, call(1), call(2, start=300 * MICROSECOND, cost=4 * MILLISECOND)) == ["products", "orders"]


def test_two_lines_that_fit_alike_name_nothing_and_are_counted() -> None:
    bench = Bench()
    bench.log(search("products"), search("orders", cost=5 * MILLISECOND + 2 * MICROSECOND))
    assert named(bench, call(1), call(2, start=1 * MICROSECOND)) == [None, None]
    assert bench.telemetry.enriched_requests == {"ambiguous": 2}


def test_two_lines_that_fit_alike_and_say_the_same_name_both() -> None:
    bench = Bench()
    bench.log(search("products"), search("products", cost=5 * MILLISECOND + 2 * MICROSECOND))
    assert named(bench, call(1), call(2, start=1 * MICROSECOND)) == ["products", "products"]


def test_where_only_the_failure_is_doubtful_the_collection_is_told_and_the_failure_is_not() -> None:
    bench = Bench()
    failed: dict[str, Any] = {"status": "Failed", "code": "65535", "message": "partition name p1 not found"}
    bench.log(search("products"), search("products", cost=5 * MILLISECOND + 2 * MICROSECOND, **failed))
    first, second = call(1), call(2, start=1 * MICROSECOND)
    for one in (first, second):
        del one.spans[1:], one.groups[1:]  # nothing below it, so that the lack of an exception says nothing
    assert named(bench, first, second) == ["products", "products"]
    assert all("error.type" not in attributes(one) for one in decoded(first).values())


def test_an_exception_on_its_spans_tells_which_of_two_lines_is_the_call_s() -> None:
    bench = Bench()
    message = "collection not found[database=default][collection=missing]"
    bench.log(
        search("products"),
        search("missing", cost=5 * MILLISECOND + 2 * MICROSECOND, status="Failed", code="100", message=message),
    )
    failed, good = call(1), call(2, start=1 * MICROSECOND)
    task = span(201, "RetrieveTask", parent=1, trace_id=(1).to_bytes(16, "big"))
    task.events.add(name="exception").attributes.add(key="exception.message").value.string_value = message
    failed = with_span(failed, task)
    assert named(bench, failed, good)[0] == "missing"


def test_an_exception_of_the_application_around_it_says_nothing_of_a_call() -> None:
    bench = Bench()
    bench.log(search("products"))
    trace = call(1)
    around = span(201, "app: checkout", trace_id=(1).to_bytes(16, "big"))
    around.events.add(name="exception").attributes.add(
        key="exception.message"
    ).value.string_value = "collection not found[database=default][collection=missing]"
    assert named(bench, trace_of(around, *map(Span.FromString, trace.spans))) == ["products"]


def test_a_channel_of_another_collection_rules_a_line_out() -> None:
    bench = Bench()
    orders = replace(PRODUCTS, id=471, name="orders", aliases=())
    bench.know(PRODUCTS, orders)
    bench.log(search("products"))
    trace = call(1)
    task = span(201, "Proxy-Search-Execute", parent=1, trace_id=(1).to_bytes(16, "big"))
    task.events.add(name="search segments done, channel = by-dev-rootcoord-dml_0_471v0, cost 1ms")
    trace = with_span(trace, task)
    assert named(bench, trace) == ["orders"]
    assert attributes(decoded(trace)["SearchTask"])["milvus.enrichment"] == "channel"


def test_a_line_of_another_connection_names_nothing() -> None:
    bench = Bench()
    bench.log(search("products", peer="tcp-127.0.0.1:5001"))
    assert named(bench, call(1)) == [None]
    assert bench.telemetry.enriched_requests == {"unknown": 1}


def test_a_call_whose_span_does_not_say_where_from_gets_the_line_that_is_left() -> None:
    bench = Bench()
    bench.log(search("products"), search("orders", start=2 * MICROSECOND, peer="tcp-127.0.0.1:5001"))
    assert named(bench, call(1), call(2, start=2 * MICROSECOND, port=None)) == ["products", "orders"]


def test_the_same_port_used_again_later_is_another_connection() -> None:
    bench = Bench()
    bench.log(search("products"), search("orders", start=60_000 * MILLISECOND))
    assert named(bench, call(1), call(2, start=60_000 * MILLISECOND)) == ["products", "orders"]


def test_a_line_long_before_or_after_its_span_is_not_its() -> None:
    bench = Bench()
    bench.log(search("products", start=-20 * MILLISECOND), search("products", start=20 * MILLISECOND))
    assert named(bench, call(1)) == [None]


def test_what_can_never_be_one_request_does_not_fit() -> None:
    at = START - START % MILLISECOND
    cost = 5 * MILLISECOND
    assert fit(at, at + cost + 50, at + cost, cost) > 0
    assert fit(at, at + cost - 1, at + cost, cost) == 0  # the span is shorter than the line's cost
    assert fit(at, at + cost + 50, at + cost + MILLISECOND, cost) == 0  # the line was written after the span's end
    assert (
        fit(at + 2 * MILLISECOND, at + 2 * MILLISECOND + cost + 50, at + cost, cost) == 0
    )  # the span began after the line
    assert fit(at, at + cost + LONGEST_SURPLUS + 1, at + cost, cost) == 0


def test_probabilities_are_those_of_all_alignments_written_out() -> None:
    random = Random(3)
    for _ in range(50):
        ratios = [[random.choice([0.0, random.uniform(0.1, 100)]) for _ in range(3)] for _ in range(3)]
        swaps = [random.random(), random.random()]
        table = probabilities(ratios, swaps)
        weights = dict(_alignments(ratios, swaps))
        total = sum(weights.values())
        for i in range(3):
            for j in range(3):
                wanted = sum(weight for pairs, weight in weights.items() if (i, j) in pairs) / total
                assert table[i][j] == pytest.approx(wanted)


def _alignments(ratios: list[list[float]], swaps: list[float]) -> list[tuple[frozenset[tuple[int, int]], float]]:
    """All ways to pair lines and calls in order, neighbours swapped or not, each with its weight."""
    found: list[tuple[frozenset[tuple[int, int]], float]] = [(frozenset(), 1.0)]

    def extend(i: int, j: int, pairs: frozenset[tuple[int, int]], weight: float) -> None:
        for a in range(i, 3):
            for b in range(j, 3):
                if ratios[a][b]:
                    more = pairs | {(a, b)}
                    found.append((more, weight * ratios[a][b]))
                    extend(a + 1, b + 1, more, weight * ratios[a][b])
                if a < 2 and b < 2 and ratios[a][b + 1] * ratios[a + 1][b]:
                    more = pairs | {(a, b + 1), (a + 1, b)}
                    product = weight * swaps[b] * ratios[a][b + 1] * ratios[a + 1][b]
                    found.append((more, product))
                    extend(a + 2, b + 2, more, product)

    extend(0, 0, frozenset(), 1.0)
    return found


def test_where_spans_lie_within_their_lines_as_until_milvus_2_4_that_is_learnt_from_lines_with_trace_ids() -> None:
    def shorter(number: int, start: int, peer: int) -> Trace:
        """A trace whose span of the search is 60 µs shorter than its line's cost."""
        return call(number, start=start, cost=5 * MILLISECOND - 120 * MICROSECOND, port=peer)

    bench = Bench()
    known = [shorter(number, number * 20 * MILLISECOND, 5001) for number in range(1, 4)]
    for number, trace in enumerate(known, start=1):
        end = number * 20 * MILLISECOND + 5 * MILLISECOND
        bench.log(line("Search", "orders", end=end, trace_id=trace.id.hex()))
        bench.enrich(trace)
    bench.log(search("products"))
    assert named(bench, shorter(9, 0, 5000)) == ["products"]


@pytest.mark.parametrize("lines_first", [True, False])
def test_lines_and_spans_may_come_in_any_order_before_the_decision(lines_first: bool) -> None:
    bench = Bench()
    trace = call(1)
    bench.log(search("orders", start=-500 * MILLISECOND))
    if lines_first:
        bench.log(search("products"))
        bench.arrived(trace)
    else:
        bench.arrived(trace)
        bench.log(search("products"))
    bench.enrich(trace)
    assert attributes(decoded(trace)["SearchTask"])["db.collection.name"] == "products"
    assert not bench.enrichment.enricher.may_fail(call(1))


def test_while_a_proxy_s_log_is_missing_its_requests_are_unknown_and_no_other_s_lines_are_theirs() -> None:
    bench = Bench()
    bench.log(*[search("orders", start=number * 30 * MILLISECOND, peer="tcp-127.0.0.1:6000") for number in range(20)])
    calls = [call(number + 1, start=number * 30 * MILLISECOND) for number in range(20)]
    assert named(bench, *calls) == [None] * 20
    assert bench.telemetry.enriched_requests == {"unknown": 20}


def test_a_call_that_grpc_ended_with_an_error_is_seen_to_have_failed_when_it_comes() -> None:
    bench = Bench()
    bench.log(search("orders", start=-900 * MILLISECOND))
    cancelled = trace_of(
        served(1, "Search", trace_id=(1).to_bytes(16, "big"), rpc__grpc__status_code=1),
        span(2, "SearchTask", parent=1, trace_id=(1).to_bytes(16, "big")),
    )
    good = call(3)
    bench.arrived(cancelled, good)
    assert bench.enrichment.enricher.may_fail(cancelled)
    assert not bench.enrichment.enricher.may_fail(good)


MADE_UP = "0123456789ab4def8123456789abcdef"
"""A trace id as one in 64 is by chance: it may be a UUID that a client made up."""


def failed(**more: Any) -> str:
    """The line of a search that failed."""
    failure = {"status": "Failed", "code": "100", "message": "collection not found[database=default][collection=x]"}
    return line("Search", "x", cost="5ms", end=5 * MILLISECOND + 20 * MICROSECOND, **failure, **more)


@pytest.mark.parametrize("decided", [False, True], ids=["waits", "decided"])
def test_a_failed_request_whose_trace_id_looks_made_up_makes_no_other_trace_suspicious(decided: bool) -> None:
    bench = Bench()
    bench.log(failed(trace_id=MADE_UP))
    if decided:
        own = trace_of(served(7, "Search", trace_id=bytes.fromhex(MADE_UP)))
        assert bench.enrichment.enricher.may_fail(own)
    else:
        bench.waiting.add(bytes.fromhex(MADE_UP))
    others = [call(number, start=(number - 3) * MICROSECOND) for number in range(1, 6)]
    assert not any(map(bench.enrichment.enricher.may_fail, others))


def test_a_failed_request_under_a_made_up_id_makes_those_calls_suspicious_that_it_may_be_of_and_no_others() -> None:
    bench = Bench()
    bench.log(failed(trace_id=MADE_UP))
    may = bench.enrichment.enricher.may_fail
    assert may(call(1))
    assert not may(call(2, port=5001))
    assert not may(call(3, start=100 * MILLISECOND))
    assert not may(trace_of(served(4, "Query")))
    assert may(call(5, port=None))  # where from is not known


def test_calls_are_looked_at_from_the_first_failed_request_on_that_may_be_anyones() -> None:
    bench = Bench()
    bench.log(failed(trace_id=MADE_UP))
    store = bench.enrichment.access_log._store  # type: ignore[union-attr] # the log is among the sources
    assert not store.wants_calls
    assert not bench.enrichment.enricher.may_fail(call(2, port=5001))
    assert store.wants_calls
