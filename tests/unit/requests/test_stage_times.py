"""Where the time of a request went: stages never overlap, and add up to the whole."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from milvus_otel_processor.requests.record import STAGES
from milvus_otel_processor.requests.steps import step_of
from milvus_otel_processor.requests.times import MOST_SPANS, stage_times
from milvus_otel_processor.spans.contract import StoreSettings
from milvus_otel_processor.spans.groups import join_traces
from milvus_otel_processor.spans.stores import make_store
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support import stores
from tests.support.enrichment import MILLISECOND, START, served, span, trace_of

COORDINATOR = "milvus.proto.rootcoord.RootCoord/AllocTimestamp"


def at(number: int, name: str, begin: float, end: float, **more: Any) -> Span:
    """A span from and to these milliseconds."""
    return span(
        number, name, parent=1, start=round(begin * MILLISECOND), cost=round((end - begin) * MILLISECOND), **more
    )


def told(*spans: Span, end: float = 100) -> dict[str, float]:
    """Milliseconds by stage, of a request of so many milliseconds with these spans."""
    store = make_store(stores.kind(), StoreSettings(wait=0.0), lambda *_: None)
    store.ingest(join_traces([trace_of(served(1, "Search", cost=round(end * MILLISECOND)), *spans)]), 0.0)
    (trace,) = store.take_oldest(1)
    times = stage_times(trace, range(len(trace)), START, START + round(end * MILLISECOND))
    return {stage: time / MILLISECOND for stage, time in zip(STAGES, times, strict=True) if time}


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("Proxy-Search-PreExecute", "queue"),
        ("Proxy-Search-Execute", "query_nodes"),
        ("Proxy-Search-PostExecute", "reduce"),
        ("Proxy-Insert-Execute", "write"),
        ("Proxy-Delete-Execute", "write"),
        ("Proxy-Upsert-insertPreExecute", "queue"),
        ("SendMsg", "write"),
        ("Delegator-waitTSafe", "wait"),
        ("milvus.proto.query.QueryNode/Search", "query_nodes"),
        ("milvus.proto.query.QueryCoord/GetShardLeaders", "coordinators"),
        ("milvus.proto.data.DataCoord/AssignSegmentID", "coordinators"),
        (COORDINATOR, "coordinators"),
    ],
)
def test_a_span_tells_its_stage(name: str, stage: str) -> None:
    assert step_of(name.encode()) == stage
    assert told(at(2, name, 10, 30)) == {stage: 20, "unexplained": 80}


def test_a_moment_counts_once_for_what_is_deepest() -> None:
    assert told(
        at(2, "Proxy-Search-Execute", 10, 90),
        at(3, COORDINATOR, 10, 20),
        at(4, "Delegator-waitTSafe", 20, 60),
        at(5, "Delegator-waitTSafe", 30, 70),
    ) == {"coordinators": 10, "wait": 50, "query_nodes": 20, "unexplained": 20}


def test_the_queue_is_from_the_proxy_to_its_task() -> None:
    assert told(at(2, "Proxy-Insert", 5, 100), at(3, COORDINATOR, 10, 20), at(4, "InsertTask", 25, 99)) == {
        "queue": 10,
        "coordinators": 10,
        "unexplained": 80,
    }


def test_a_task_alone_tells_no_queue() -> None:
    assert told(at(2, "SearchTask", 10, 90)) == {"unexplained": 100}


def test_the_steps_of_a_query_are_events() -> None:
    task = at(2, "RetrieveTask", 10, 90)
    for name, when in (("PreExecute", 10), ("Execute", 20), ("PostExecute", 80)):
        task.events.add(name=f"scheduler process {name}", time_unix_nano=START + when * MILLISECOND)
    assert told(task) == {"queue": 10, "query_nodes": 60, "reduce": 10, "unexplained": 20}


def test_a_query_that_ended_before_it_was_executed_tells_no_more() -> None:
    assert told(at(2, "RetrieveTask", 10, 90)) == {"unexplained": 100}


def test_what_is_beyond_the_request_does_not_count() -> None:
    assert told(at(2, "SendMsg", -10, 20), at(3, "SendMsg", 90, 300), at(4, "SendMsg", 50, 40)) == {
        "write": 30,
        "unexplained": 70,
    }


def test_of_too_many_spans_nothing_is_told() -> None:
    assert not told(*(at(number + 2, "SendMsg", 1, 2) for number in range(MOST_SPANS)))


def test_stages_add_up_in_any_order_of_the_spans() -> None:
    random = Random(1)
    names = (
        "SendMsg",
        "Delegator-waitTSafe",
        COORDINATOR,
        "Proxy-Search",
        "SearchTask",
        "Proxy-Search-Execute",
        "other",
    )
    for _ in range(200):
        spans = [
            at(number + 2, random.choice(names), random.randrange(-10, 110), random.randrange(-10, 110))
            for number in range(random.randrange(12))
        ]
        first = told(*spans)
        assert sum(first.values()) == pytest.approx(100)
        assert all(time > 0 for time in first.values())
        random.shuffle(spans)
        assert told(*spans) == first


def test_times_of_some_spans_are_told_of_those_alone() -> None:
    store = make_store(stores.kind(), StoreSettings(wait=0.0), lambda *_: None)
    spans = [at(2, "SendMsg", 0, 10), at(3, "SendMsg", 20, 30), at(4, "Delegator-waitTSafe", 40, 50)]
    store.ingest(join_traces([trace_of(*spans)]), 0.0)
    (trace,) = store.take_oldest(1)
    times = stage_times(trace, [0, 2], START, START + 100 * MILLISECOND, outside=7 * MILLISECOND)
    found = {stage: time / MILLISECOND for stage, time in zip(STAGES, times, strict=True) if time}
    assert found == {"client": 7, "write": 10, "wait": 10, "unexplained": 80}


def test_the_core_tells_by_its_service() -> None:
    store = make_store(stores.kind(), StoreSettings(wait=0.0), lambda *_: None)
    store.ingest(join_traces([trace_of(at(2, "anything", 10, 30), service="segcore")]), 0.0)
    (trace,) = store.take_oldest(1)
    times = dict(zip(STAGES, stage_times(trace, [0], START, START + 100 * MILLISECOND), strict=True))
    assert times["core"] == 20 * MILLISECOND
