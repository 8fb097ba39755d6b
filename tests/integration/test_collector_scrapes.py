"""A real Collector asks for the page: it gets it with gzip, as OpenMetrics, and what it makes of it is what was counted."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING

from milvus_otel_processor.requests.record import STAGES, Series
from milvus_otel_processor.web.metrics import metrics_routes

from tests.peers.collector import collector
from tests.peers.waiting import wait_until
from tests.support.http import served
from tests.support.metrics_sink import grpc_sink
from tests.support.request_records import Made, counted, source_of

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

TRACE = bytes(range(16))
NAME, STAGES_NAME = "milvus_request_duration_seconds", "milvus_request_stage_duration_seconds"


def all_there(metrics: dict[str, Metric]) -> dict[str, Metric] | None:
    return metrics if {NAME, STAGES_NAME} <= metrics.keys() else None


def test_a_collector_reads_all_of_a_large_page(tmp_path: Path) -> None:
    records = [
        Made(Series("default", f"c{n}", "Search", "", "shop"), 0.02, (0.002,) * len(STAGES), True, TRACE, time_ns())
        for n in range(300)
    ]
    source = source_of(counted(*records, *records))
    with served(metrics_routes(source)) as url, grpc_sink() as (sink, endpoint):
        target = url.removeprefix("http://")
        configuration = f"""
            receivers:
              prometheus:
                config:
                  scrape_configs:
                    - {{job_name: processor, scrape_interval: 5s, static_configs: [{{targets: ["{target}"]}}]}}
            exporters: {{otlp: {{endpoint: "{endpoint.removeprefix("http://")}", tls: {{insecure: true}}}}}}
            service: {{pipelines: {{metrics: {{receivers: [prometheus], exporters: [otlp]}}}}}}
        """
        with collector(configuration, tmp_path):
            # Before it ends, as it then says that there is nothing any more.
            metrics = wait_until(lambda: all_there(sink.metrics()), "a whole page to come", 60)
    points = metrics[NAME].histogram.data_points
    assert len(points) == 300
    assert {one.count for one in points} == {2}
    assert {exemplar.trace_id for one in points for exemplar in one.exemplars} == {TRACE}
    assert len(metrics[STAGES_NAME].histogram.data_points) == 300 * len(STAGES)
