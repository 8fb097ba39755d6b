"""The settings of enrichment as they take effect together."""

from __future__ import annotations

from random import Random

from milvus_otel_processor.enrichment.component import Enrichment
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.telemetry.counters import Telemetry

from tests.support.enrichment import Clock, attributes, decoded, line, logs, served, trace_of


def test_a_line_is_held_as_long_as_its_trace_may_wait_whatever_that_time_becomes() -> None:
    clock, wait = Clock(), [100.0]
    enrichment = Enrichment(
        MilvusSettings.model_validate({"access_log": {"hold": "10s"}}),
        Telemetry(),
        clock=clock,
        random=Random(1),
        is_waiting=lambda _: False,
        wait=lambda: wait[0],
    )
    assert enrichment.access_log is not None

    def named_after(seconds: float) -> bool:
        assert enrichment.access_log is not None
        enrichment.access_log.ingest(logs(line("Search")))
        clock.now += seconds
        enrichment.access_log.ingest(logs(line("Query", trace_id=f"{clock.now:032.0f}")))
        trace = trace_of(served(1, "Search"))
        enrichment.enricher.enrich(trace)
        (own,) = decoded(trace).values()
        return "db.collection.name" in attributes(own)

    assert named_after(109.0)
    assert not named_after(110.0)
    wait[0] = 5.0
    assert named_after(14.0)
    assert not named_after(15.0)


def test_without_the_access_log_among_the_sources_no_log_is_taken_in() -> None:
    settings = MilvusSettings.model_validate({"sources": ["client"]})
    enrichment = Enrichment(settings, Telemetry(), clock=Clock(), random=Random(1), is_waiting=lambda _: False)
    assert enrichment.access_log is None
