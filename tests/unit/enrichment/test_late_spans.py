"""Milvus' span of a failed request becomes an error also where it comes after the decision over its trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from milvus_otel_processor.spans.groups import join_traces
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.enrichment import (
    CLIENT,
    MILLISECOND,
    SEARCH,
    Bench,
    attributes,
    line,
    served,
    span,
    trace_of,
)
from tests.support.harness import ALWAYS, RecordingExporter, pipeline_of, sampling

if TYPE_CHECKING:
    from collections.abc import Callable

ERROR, UNSET = Status.STATUS_CODE_ERROR, Status.STATUS_CODE_UNSET
FAILED: dict[str, Any] = {"status": "Failed", "code": "100", "message": "collection not found"}


class Late:
    """A pipeline that keeps all; `come` brings spans of a trace that is decided."""

    def __init__(self, *lines: str) -> None:
        self.bench = Bench()
        self.bench.log(*lines)
        self.exporter = RecordingExporter(self.bench.telemetry)
        self.pipeline, _ = pipeline_of(
            sampling(ALWAYS),
            lambda _: self.bench.enrichment,
            exporter=self.exporter,
            telemetry=self.bench.telemetry,
            clock=self.bench.clock,
        )

    def decide(self, *spans: Span) -> None:
        self.pipeline.ingest(join_traces([trace_of(*spans)]))
        self.pipeline.drain()

    def come(self, one: Span) -> Span:
        before = self.bench.telemetry.late_spans["sampled"]
        self.pipeline.ingest(join_traces([trace_of(one)]))
        assert self.bench.telemetry.late_spans["sampled"] == before + 1
        return Span.FromString(self.exporter.spans[-1])


def caller(number: int = 1, **more: Any) -> Span:
    return span(number, SEARCH, kind=CLIENT, **more)


@pytest.mark.parametrize(
    "first",
    [
        caller,
        lambda: span(1, "search products", db__system__name="milvus", db__collection__name="products"),
        lambda: span(5, "SearchTask", parent=2),
    ],
    ids=["the caller's span", "an instrumented client's span", "a step of Milvus'"],
)
def test_it_becomes_an_error_as_it_would_have_in_time(first: Callable[[], Span]) -> None:
    late, in_time = Late(line("Search", **FAILED)), Late(line("Search", **FAILED))
    in_time.decide(first(), served(2, "Search", parent=1))
    expected = next(one for one in map(Span.FromString, in_time.exporter.spans) if one.kind == Span.SPAN_KIND_SERVER)
    late.decide(first())
    came = late.come(served(2, "Search", parent=1))
    assert (came.status.code, came.status.message) == (ERROR, "collection not found")
    assert came.status == expected.status
    assert attributes(came).items() >= attributes(expected).items()
    assert attributes(came)["error.type"] == "100"


def test_a_line_that_comes_after_the_decision_counts_as_well() -> None:
    late = Late()
    late.decide(caller())
    late.bench.log(line("Search", **FAILED))
    assert late.come(served(2, "Search", parent=1)).status.code == ERROR


def test_a_status_that_it_has_is_left_alone() -> None:
    late = Late(line("Search", **FAILED))
    late.decide(caller())
    has = served(2, "Search", parent=1)
    has.status.code = Status.STATUS_CODE_OK
    assert late.come(has).status.code == Status.STATUS_CODE_OK


def test_a_request_of_another_method_that_failed_is_not_its_failure() -> None:
    late = Late(line("DescribeCollection", **FAILED), line("Search", end=9 * MILLISECOND))
    late.decide(caller())
    came = late.come(served(2, "Search", parent=1, start=4 * MILLISECOND))
    assert came.status.code == UNSET
    assert "error.type" not in attributes(came)
    assert attributes(came)["db.collection.name"] == "products"


def test_a_neighbour_whose_span_came_in_time_is_not_its_failure() -> None:
    """Two searches one after the other; the line of the second, which went well, is lost."""
    late = Late(line("Search", **FAILED))
    late.decide(served(2, "Search", parent=1), span(3, "SearchTask", parent=2))
    came = late.come(served(4, "Search", parent=1, start=6 * MILLISECOND))
    assert came.status.code == UNSET
    assert "error.type" not in attributes(came)


@pytest.mark.parametrize("failing", [0, 1])
def test_of_two_late_ones_that_overlap_the_right_one_becomes_an_error(failing: int) -> None:
    states = [FAILED if number == failing else {} for number in range(2)]
    ends = [5 * MILLISECOND, 8 * MILLISECOND]
    late = Late(*(line("Search", end=end, **state) for end, state in zip(ends, states, strict=True)))
    late.decide(caller(), caller(9))
    came = [
        late.come(served(2 + place, "Search", parent=1, start=end - 5 * MILLISECOND)) for place, end in enumerate(ends)
    ]
    assert [one.status.code == ERROR for one in came] == [failing == 0, failing == 1]


def test_a_late_span_of_a_trace_without_failures_is_given_the_names_alone() -> None:
    late = Late(line("Search"))
    late.decide(caller())
    before = dict(late.bench.telemetry.enriched_requests)
    came = late.come(served(2, "Search", parent=1))
    assert came.status.code == UNSET
    assert attributes(came)["db.collection.name"] == "products"
    assert dict(late.bench.telemetry.enriched_requests) == before


def test_a_fault_in_it_costs_the_span_no_more_than_its_attributes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    late = Late(line("Search", **FAILED))
    late.decide(caller())

    def broken(_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(late.bench.enrichment.enricher, "enrich_late", broken)
    assert late.come(served(2, "Search", parent=1)).name == SEARCH
    assert "the processor milvus failed at a late span" in caplog.text
