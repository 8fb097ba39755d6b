"""Traces that nobody wants to look at are counted as if somebody had: both stores say the same of recorded traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import recorded_enrichment as recorded
from tests.support.enrichment import Bench
from tests.support.harness import Harness, RecordingExporter, assert_accounted, drop_roots, pipeline_of, sampling
from tests.support.recorded import requests
from tests.support.recordings import MIXES
from tests.support.stores import KINDS, using

if TYPE_CHECKING:
    from milvus_otel_processor.spans.stores import StoreKind
    from milvus_otel_processor.telemetry.counters import Snapshot

    from tests.support.recordings import Recording

Rule = dict[str, object]
HEARTBEATS = drop_roots("milvus.proto.rootcoord.RootCoord/AllocTimestamp")
ERRORS: Rule = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
SLOW: Rule = {"name": "slow", "type": "latency", "latency": {"threshold_ms": 500}}
TENTH: Rule = {"name": "tenth", "type": "probabilistic", "probabilistic": {"sampling_percentage": 10}}
NAMED: Rule = {"name": "named", "type": "collection", "collection": {"names": ["products"]}}
LIMIT: Rule = {"name": "limit", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 5}}
SHADOW: Rule = {**TENTH, "name": "shadow", "mode": "shadow", "probabilistic": {"sampling_percentage": 20}}


def decided(kind: StoreKind, rules: list[Rule], *, enrich: bool) -> tuple[Snapshot, dict[bytes, list[bytes]]]:
    """What is counted, and kept, of the recorded traffic, one request a second."""
    with using(kind):
        made = Harness(sampling(*rules), enrich=enrich)
        for request in requests():
            made.pipeline.ingest(request)
            made.advance(1.0)
        made.decide_all()
    assert not made.pipeline.waits
    assert_accounted(made.snapshot())
    return made.snapshot(), {trace.id: list(trace.spans) for trace in made.exporter.puts}


@pytest.mark.usefixtures("native_store_there")
@pytest.mark.parametrize("enrich", [False, True], ids=["as it came", "enriched"])
@pytest.mark.parametrize(
    "rules",
    [[HEARTBEATS, ERRORS, SLOW, TENTH], [HEARTBEATS, NAMED, ERRORS, TENTH], [ERRORS, SHADOW], [ERRORS, LIMIT]],
    ids=["none reads enrichment", "one reads it", "with a shadow", "one counts what it is asked"],
)
def test_both_stores_count_and_keep_the_same(rules: list[Rule], enrich: bool) -> None:
    (one, kept), (other, also_kept) = (decided(kind, rules, enrich=enrich) for kind in KINDS)
    assert kept == also_kept
    for counted in (
        "decisions",
        "shadow_decisions",
        "enriched_requests",
        "enriched_spans",
        "late_spans",
        "trace_removal_age",
    ):
        assert getattr(other, counted) == getattr(one, counted), counted


def decided_with_lines(kind: StoreKind, mix: Recording, rules: list[Rule]) -> tuple[Snapshot, dict[bytes, list[bytes]]]:
    """The same with the lines of the access log, half of which come before the spans."""
    bench, lines = Bench(), mix.lines or recorded.lines()
    exporter = RecordingExporter(bench.telemetry)
    with using(kind):
        pipeline, store = pipeline_of(
            sampling(*rules),
            lambda _: bench.enrichment,
            exporter=exporter,
            telemetry=bench.telemetry,
            clock=bench.clock,
        )
        bench.waiting = store
        bench.log(*lines[::2])
        for request in mix.requests:
            pipeline.ingest(request)
        bench.log(*lines[1::2])
        bench.clock.now += 60
        pipeline.tick()
    assert not pipeline.waits
    return bench.telemetry.snapshot(), {trace.id: list(trace.spans) for trace in exporter.puts}


@pytest.mark.usefixtures("native_store_there")
@pytest.mark.parametrize("mix", MIXES, ids=str)
def test_both_stores_keep_the_same_failures_that_only_the_access_log_knows(mix: Recording) -> None:
    (one, kept), (other, also_kept) = (decided_with_lines(kind, mix, [HEARTBEATS, ERRORS]) for kind in KINDS)
    assert kept == also_kept
    assert len(kept) > 0
    for counted in ("decisions", "enriched_requests", "enriched_spans", "access_log_lines"):
        assert getattr(other, counted) == getattr(one, counted), counted
