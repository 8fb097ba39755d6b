"""The recorded traces and access log of a real Milvus: every request gets its own collection, and none another's."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support import recorded_enrichment as recorded
from tests.support.enrichment import SERVER, Bench, attributes, decoded, traces_of

if TYPE_CHECKING:
    from milvus_otel_processor.spans.contract import Trace

SERVICE = "milvus.proto.milvus.MilvusService/"


def enriched(lines: list[str]) -> tuple[dict[bytes, Trace], Bench]:
    bench = Bench()
    bench.log(*lines)
    traces = traces_of(recorded.requests())
    bench.waiting |= traces.keys()
    for trace_id, trace in traces.items():
        bench.waiting.discard(trace_id)
        bench.enrich(trace)
    return traces, bench


def expected() -> dict[str, dict[str, list[dict[str, str]]]]:
    """The records by trace id and method, in the order in which Milvus wrote them."""
    found: dict[str, dict[str, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for record in recorded.records():
        found[record["trace_id"]][record["method"]].append(record)
    return found


def server_spans(trace: Trace) -> list[Span]:
    spans = [Span.FromString(raw) for raw in trace.spans]
    return sorted(
        (one for one in spans if one.kind == SERVER and one.name.startswith(SERVICE)),
        key=lambda one: one.end_time_unix_nano,
    )


def check(traces: dict[bytes, Trace]) -> tuple[int, int]:
    """Compare each request with its line; return how many requests and how many request traces there were."""
    records = expected()
    checked = request_traces = 0
    for trace_id, trace in traces.items():
        spans = server_spans(trace)
        request_traces += bool(spans)
        by_method: dict[str, list[Span]] = defaultdict(list)
        for one in spans:
            by_method[one.name.removeprefix(SERVICE)].append(one)
        for method, ones in by_method.items():
            of_method = records[trace_id.hex()][method]
            assert len(of_method) == len(ones)
            for record, one in zip(of_method, ones, strict=True):
                has = attributes(one)
                assert has["milvus.enrichment"] == "access_log"
                assert has["db.operation.name"] == method
                for key, of_record in (("db.collection.name", "collection"), ("db.namespace", "db")):
                    wanted = record[of_record] if record[of_record] != "Unknown" else None
                    assert has.get(key) == wanted
                assert one.status.code == (2 if record["code"] != "0" else 0)
                checked += 1
    return checked, request_traces


def test_every_request_gets_the_database_and_collection_of_its_own_line() -> None:
    traces, bench = enriched(recorded.lines())
    assert check(traces) == (240, 200)
    named = sum(record["collection"] != "Unknown" for record in recorded.records())
    assert bench.telemetry.enriched_requests == {"access_log": named, "no_collection": 240 - named}


def test_lines_that_come_shuffled_and_twice_make_no_difference() -> None:
    lines = recorded.lines() * 2
    random.Random(5).shuffle(lines)
    traces, bench = enriched(lines)
    assert check(traces) == (240, 200)
    assert bench.telemetry.access_log_lines == {"received": 240, "doubled": 240}


def test_a_lost_line_leaves_its_own_request_unnamed_and_no_other() -> None:
    records = recorded.records()
    lines = recorded.lines()
    kept = [(record, line) for number, (record, line) in enumerate(zip(records, lines, strict=True)) if number % 3]
    traces, bench = enriched([line for _, line in kept])
    by_cost = {(record["trace_id"], record["method"], record["cost"]): record for record, _ in kept}
    named = 0
    for trace_id, trace in traces.items():
        for one in server_spans(trace):
            name = attributes(one).get("db.collection.name")
            same = [
                record["collection"]
                for (of_trace, method, _), record in by_cost.items()
                if of_trace == trace_id.hex() and one.name == SERVICE + method
            ]
            assert name is None or name in same
            named += "milvus.enrichment" in attributes(one)
    assert named == len(kept)
    assert bench.telemetry.enriched_requests["unknown"] == len(lines) - len(kept)


def test_heartbeats_and_background_work_get_nothing() -> None:
    before = traces_of(recorded.requests())
    traces, _ = enriched(recorded.lines())
    with_requests = {bytes.fromhex(record["trace_id"]) for record in recorded.records()}
    assert len(traces) - len(with_requests) == 808
    for trace_id in traces.keys() - with_requests:
        assert traces[trace_id].spans == before[trace_id].spans


def test_the_spans_below_a_request_get_its_names_and_those_above_it_nothing() -> None:
    traces, _ = enriched(recorded.lines())
    below = 0
    for trace in traces.values():
        spans = decoded(trace)
        if "SegCoreSearch" in spans:
            assert attributes(spans["SegCoreSearch"])["db.collection.name"] in ("products", "articles")
            below += 1
        if "request" in spans:
            assert "db.collection.name" not in attributes(spans["request"])
    assert below == 47


def test_to_enrich_a_second_time_adds_nothing() -> None:
    traces, bench = enriched(recorded.lines())
    once = {trace_id: list(trace.spans) for trace_id, trace in traces.items()}
    for trace in traces.values():
        bench.enrich(trace)
    assert {trace_id: trace.spans for trace_id, trace in traces.items()} == once
