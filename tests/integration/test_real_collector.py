"""A real Collector behind the processor: what it takes of a batch with spans that it cannot read."""

from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.peers.collector import collector
from tests.peers.otlp_sink import otlp_sink
from tests.peers.process import free_port
from tests.support.harness import assert_accounted, sampling
from tests.support.processor import Configuration, exporter_settings, receiver_settings, running_processor
from tests.support.spans import span
from tests.support.wire import VARINT, delimited, field

GOOD = 200


def _with_span_id_of_3_bytes() -> bytes:
    damaged = span(999, 1)
    damaged.span_id = b"abc"
    return damaged.SerializeToString()


def _with_number_for_name() -> bytes:
    nameless = Span(trace_id=span(999).trace_id, span_id=b"12345678")
    return nameless.SerializeToString() + field(5, VARINT, b"\1")


@pytest.mark.parametrize("damaged", [_with_span_id_of_3_bytes, _with_number_for_name])
def test_a_span_that_it_cannot_read_costs_no_other(damaged: Callable[[], bytes], tmp_path: Path) -> None:
    port = free_port()
    with otlp_sink() as sink:
        configuration = f"""
            receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
            exporters: {{otlp: {{endpoint: "{sink.endpoint}", tls: {{insecure: true}}}}}}
            service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [otlp]}}}}}}
        """
        batches = {"batch": {"flush_timeout": 3600.0}}  # all in one, at the end
        settings = Configuration(
            receiver_settings(), exporter_settings(f"127.0.0.1:{port}", sending_queue=batches), sampling()
        )
        spans = [span(number).SerializeToString() for number in range(1, GOOD + 1)]
        spans.insert(GOOD // 3, damaged())
        with collector(configuration, tmp_path), running_processor(settings) as running:
            running.send(delimited(1, delimited(2, b"".join(delimited(2, one) for one in spans))))
            running.stop()
            sink.wait_for(lambda it: len(it.spans()) == GOOD)
    after = running.service.telemetry.snapshot()
    assert (after.exported_spans, sum(after.lost_spans.values())) == (GOOD, 1)
    assert_accounted(after)
