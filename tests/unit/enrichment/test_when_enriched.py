"""A trace is enriched before its rules are asked where they can tell the difference, and else only when it is kept."""

from __future__ import annotations

import pytest
from milvus_otel_processor.enrichment.attributes import ATTRIBUTES, TIMES
from milvus_otel_processor.sampling.hints.reads import Reads, reads_of
from milvus_otel_processor.spans.groups import join_traces
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.enrichment import Bench, attributes, line, served, span, trace_of
from tests.support.harness import ALWAYS, ERRORS, NEVER, RecordingExporter, pipeline_of, sampling

PRODUCTS: dict[str, object] = {
    "name": "products",
    "type": "string_attribute",
    "string_attribute": {"key": "db.collection.name", "values": ["products"]},
}
GOLD: dict[str, object] = {
    "name": "gold",
    "type": "string_attribute",
    "string_attribute": {"key": "service.name", "values": ["gold"]},
}


def decided(bench: Bench, *policies: dict[str, object]) -> list[Span]:
    """What is kept of a trace with one search on `products`."""
    exporter = RecordingExporter(bench.telemetry)
    pipeline, _ = pipeline_of(
        sampling(*policies),
        lambda _: bench.enrichment,
        exporter=exporter,
        telemetry=bench.telemetry,
        clock=bench.clock,
    )
    pipeline.ingest(join_traces([trace_of(served(1, "Search"), span(2, "SearchTask", parent=1))]))
    pipeline.drain()
    return [Span.FromString(each) for each in exporter.spans]


def searched(status: str = "Successful") -> Bench:
    bench = Bench()
    failure = {"status": "Failed", "code": "100", "message": "no"} if status == "Failed" else {}
    bench.log(line("Search", "products", **failure))  # type: ignore[arg-type]
    return bench


@pytest.mark.parametrize("rule", [NEVER, GOLD, ERRORS], ids=lambda rule: rule["name"])
def test_what_no_rule_keeps_and_none_could_have_seen_is_not_enriched(rule: dict[str, object]) -> None:
    bench = searched()
    assert decided(bench, rule) == []
    assert not bench.telemetry.enriched_spans


def test_what_is_kept_is_enriched_though_no_rule_asked() -> None:
    bench = searched()
    kept = decided(bench, ALWAYS)
    assert [attributes(each)["db.collection.name"] for each in kept] == ["products", "products"]


def test_a_rule_on_a_collection_sees_it() -> None:
    assert len(decided(searched(), PRODUCTS)) == 2


def test_a_rule_on_the_status_sees_a_failure_that_only_the_access_log_knows() -> None:
    assert len(decided(searched("Failed"), ERRORS)) == 2


@pytest.mark.parametrize("shadowed", [PRODUCTS])
def test_a_shadow_rule_sees_what_another_would(shadowed: dict[str, object]) -> None:
    bench = searched()
    assert decided(bench, NEVER, {**shadowed, "mode": "shadow"}) == []
    assert bench.telemetry.snapshot().shadow_decisions


def test_whatever_enrichment_writes_counts_as_such() -> None:
    assert {reads_of(attribute.name) for attribute in TIMES} == {Reads.TIMES}
    assert {reads_of(attribute.name) for attribute in ATTRIBUTES if attribute not in TIMES} == {Reads.FACTS}
    assert reads_of("service.name") is Reads.NOTHING
