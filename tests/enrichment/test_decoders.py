"""What is put behind a span's bytes is read as meant by the decoder of the Collector, which is Jaeger's too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from milvus_otel_processor.spans.groups import join

from tests.peers.collector import collector
from tests.peers.otlp_sink import METHOD, otlp_sink
from tests.peers.process import free_port
from tests.support.enrichment import Bench, attributes, line, served, span, trace_of

if TYPE_CHECKING:
    from pathlib import Path

_PASSES_ON = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters: {{otlp: {{endpoint: "{sink}", tls: {{insecure: true}}}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [otlp]}}}}}}
"""


def test_a_status_and_attributes_put_behind_a_span_replace_and_join_what_it_had(tmp_path: Path) -> None:
    bench = Bench()
    bench.log(line("Search", "missing", status="Failed", code="100", message="collection not found"))
    failed = served(1, "Search", rpc__system="grpc")
    failed.status.SetInParent()  # an empty status, as Go's SDK writes it
    trace = trace_of(failed, span(2, "SearchTask", parent=1))
    bench.enrich(trace)
    port = free_port()
    with otlp_sink() as sink, collector(_PASSES_ON.format(port=port, sink=sink.endpoint), tmp_path):
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            channel.unary_unary(METHOD)(join(zip(trace.groups, trace.spans, strict=True)), timeout=5)
        sink.wait_for(lambda one: len(one.spans()) == 2)
        own, below = sorted(sink.spans(), key=lambda one: one.span_id)
    assert (own.status.code, own.status.message) == (2, "collection not found")
    assert below.status.code == 0
    assert attributes(own)["rpc.system"] == "grpc"
    assert attributes(own)["db.collection.name"] == attributes(below)["db.collection.name"] == "missing"
