"""The native store sees plain requests at once: those that a closer look finds, span by span."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.enrichment.requests import CALLS, Request, find_requests, look_for_requests
from milvus_otel_processor.spans.contract import StoreSettings
from milvus_otel_processor.spans.groups import join_traces
from milvus_otel_processor.spans.stores import make_store

from tests.support.enrichment import CLIENT, INTERNAL, SERVER, served, span, trace_of
from tests.support.recordings import VERSIONS, recordings
from tests.unit.enrichment.test_requests import FORMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from milvus_otel_processor.spans.contract import Trace
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

pytestmark = pytest.mark.usefixtures("native_store_there")


def said(found: list[Request]) -> list[tuple[object, ...]]:
    place = {id(one): number for number, one in enumerate(found)}
    return [
        (one.method, one.client, one.server, list(one.spans), one.only_milvus, one.parent and place[id(one.parent)])
        for one in found
    ]


def native_traces(requests: Iterable[bytes]) -> Sequence[Trace]:
    store = make_store("native", StoreSettings(0.0), lambda _: None)
    for request in requests:
        store.ingest(request, 0.0)
    return store.take_due(1.0, 1_000_000)


@pytest.mark.parametrize("version", VERSIONS)
def test_in_recorded_traffic(version: str) -> None:
    plain = traces = 0
    for recording in recordings(version):
        for trace in native_traces(recording.requests):
            traces += 1
            if trace.plain_calls(CALLS) is not None:
                plain += 1
                assert said(find_requests(trace)) == said(look_for_requests(trace))
    assert plain > traces // 2


@pytest.mark.parametrize("form", FORMS)
def test_in_traces_of_few_spans_of_every_kind(form: str) -> None:
    name, attributes = FORMS[form]
    spans = [
        span(1, name, kind=CLIENT, **attributes),
        served(2, "Search", parent=1),
        served(3, "Query", parent=9),
        span(4, "app", parent=1),
        span(5, "Proxy-Search", kind=INTERNAL, parent=2),
        span(6, "Proxy-Search", kind=INTERNAL),
        span(7, "/v2/vectordb/entities/search", kind=INTERNAL),
        span(8, "app", db__system="milvus"),
    ]
    plain = 0
    for chosen in range(1, 1 << len(spans)):
        reference = trace_of(*(one for place, one in enumerate(spans) if chosen & 1 << place))
        (trace,) = native_traces([join_traces([reference])])
        plain += trace.plain_calls(CALLS) is not None
        assert said(find_requests(trace)) == said(look_for_requests(trace)), chosen
        assert len(find_requests(trace)) == len(find_requests(reference)), chosen
    assert plain > 3


def test_in_trees_and_circles_of_calls() -> None:
    random = Random(7)
    several = 0
    for _ in range(3000):
        count = random.randrange(1, 12)
        spans = []
        for number in range(1, count + 1):
            # It may not be there, or be itself.
            parent = random.choice((0, random.randrange(count + 2), max(0, number - 1)))
            method = random.choice(("Search", "Query"))
            made: list[Span] = [
                served(number, method, parent=parent),
                span(number, f"/milvus.proto.milvus.MilvusService/{method}", kind=CLIENT, parent=parent),
                span(number, "Proxy-Search", parent=parent),
                span(number, "milvus.proto.query.QueryNode/Search", kind=SERVER, parent=parent),
                span(number, "app", parent=parent),
            ]
            spans.append(random.choice(made))
        if random.random() < 0.1:
            spans.append(spans[0])
        reference = trace_of(*spans)
        (trace,) = native_traces([join_traces([reference])])
        calls = trace.plain_calls(CALLS)
        several += calls is not None and len(calls) > 1
        assert said(find_requests(trace)) == said(look_for_requests(trace))
        # What is around spans puts them in another order in the request than in the reference, so their places differ.
        assert len(find_requests(trace)) == len(find_requests(reference))
    assert several > 1000


def test_a_trace_to_which_something_was_appended_is_not_plain() -> None:
    (trace,) = native_traces([join_traces([trace_of(served(2, "Search"))])])
    assert trace.plain_calls(CALLS)
    trace.append((0,), b"\x30\x02")
    assert trace.plain_calls(CALLS) is None
