"""Traces that nobody wants to look at are counted as if somebody had: both stores say the same of recorded traffic."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.config import default_config_path
from milvus_otel_processor.enrichment.requests import SERVICE
from milvus_otel_processor.spans.groups import join_traces
from milvus_otel_processor.telemetry.counters import Telemetry
from ruamel.yaml import YAML

from tests.differential.traces import requests as traffic
from tests.support import recorded_enrichment as recorded
from tests.support.enrichment import Bench, line, served, trace_of
from tests.support.harness import Harness, RecordingExporter, assert_accounted, drop_roots, pipeline_of, sampling
from tests.support.recorded import requests
from tests.support.recordings import MIXES
from tests.support.stores import KINDS, using
from tests.unit.sampling.hints.test_drops import drop

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def _built_in() -> list[Rule]:
    rules: list[Rule] = YAML(typ="safe").load(default_config_path().with_name("sampling.yaml"))["policies"]
    return rules


BUILT_IN = _built_in()
COUNTED = ("decisions", "shadow_decisions", "enriched_requests", "enriched_spans", "late_spans", "trace_removal_age")


def decided(
    kind: StoreKind, rules: list[Rule], *, enrich: bool, load: Sequence[bytes] = ()
) -> tuple[Snapshot, dict[bytes, list[bytes]]]:
    """What is counted, and kept, of some traffic, or else of the recorded, one request a second."""
    with using(kind):
        made = Harness(sampling(*rules), enrich=enrich)
        for request in load or requests():
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
    [
        [HEARTBEATS, ERRORS, SLOW, TENTH],
        [HEARTBEATS, NAMED, ERRORS, TENTH],
        [ERRORS, SHADOW],
        [ERRORS, LIMIT],
        BUILT_IN,
        [*BUILT_IN, NAMED],
    ],
    ids=[
        "none reads enrichment",
        "one reads it",
        "with a shadow",
        "one counts what it is asked",
        "built-in",
        "built-in, and one reads it",
    ],
)
def test_both_stores_count_and_keep_the_same(rules: list[Rule], enrich: bool) -> None:
    (one, kept), (other, also_kept) = (decided(kind, rules, enrich=enrich) for kind in KINDS)
    assert kept == also_kept
    for counted in COUNTED:
        assert getattr(other, counted) == getattr(one, counted), counted


@pytest.mark.usefixtures("native_store_there")
@pytest.mark.parametrize("seed", range(6))
def test_both_stores_drop_the_same_by_rules_on_roots_and_on_what_else_is_there(seed: int) -> None:
    random = Random(seed)
    load = list(traffic(seed, 60))
    for _ in range(8):
        rules = [*(drop(random, number) for number in range(random.choice((1, 2, 3)))), ERRORS, TENTH]
        (one, kept), (other, also_kept) = (decided(kind, rules, enrich=seed % 2 == 1, load=load) for kind in KINDS)
        assert kept == also_kept, rules
        for counted in COUNTED:
            assert getattr(other, counted) == getattr(one, counted), (counted, rules)


@pytest.mark.usefixtures("native_store_there")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("failed", [False, True])
def test_a_failure_that_only_the_access_log_knows_of_stands_against_a_drop(kind: StoreKind, failed: bool) -> None:
    root: Rule = {"type": "span_name", "span_name": {"root_only": True, "names": [f"{SERVICE.decode()}/Search"]}}
    well: Rule = {"type": "not", "not": {"not_sub_policy": {**ERRORS, "name": "inner"}}}
    rule: Rule = {"name": "well", "type": "drop", "drop": {"drop_sub_policy": [root, well]}}
    bench, exporter = Bench(), RecordingExporter(Telemetry())
    with using(kind):
        pipeline, store = pipeline_of(
            sampling(HEARTBEATS, rule, ERRORS),
            lambda _: bench.enrichment,
            exporter=exporter,
            telemetry=bench.telemetry,
            clock=bench.clock,
        )
        bench.waiting = store
        bench.log(
            line("Search", "products", status="Failed", code="100", message="no")
            if failed
            else line("Search", "products")
        )
        pipeline.ingest(join_traces([trace_of(served(1, "Search"))]))
        bench.clock.now += 60
        pipeline.tick()
    expected = ("sampled", "errors") if failed else ("dropped", "well")
    assert set(bench.telemetry.snapshot().decisions) == {expected}


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
@pytest.mark.parametrize("rules", [[HEARTBEATS, ERRORS], BUILT_IN], ids=["errors", "built-in"])
@pytest.mark.parametrize("mix", MIXES, ids=str)
def test_both_stores_keep_the_same_failures_that_only_the_access_log_knows(mix: Recording, rules: list[Rule]) -> None:
    (one, kept), (other, also_kept) = (decided_with_lines(kind, mix, rules) for kind in KINDS)
    assert kept == also_kept
    assert len(kept) > 0
    for counted in ("decisions", "enriched_requests", "enriched_spans", "access_log_lines"):
        assert getattr(other, counted) == getattr(one, counted), counted
