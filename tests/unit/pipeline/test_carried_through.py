"""Whatever valid request comes in, goes out as it was: spans, resources and scopes."""

from collections import Counter

from hypothesis import HealthCheck, given, settings
from milvus_otel_processor.spans.attributes import span_attribute
from milvus_otel_processor.spans.groups import join_traces
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from tests.support import generated
from tests.support.harness import Harness, assert_accounted
from tests.support.wire import grouped_spans

POLICY = span_attribute("tailsampling.policy", "everything")


def _canonical(groups: list[tuple[bytes, bytes, bytes]], appended: int) -> Counter[tuple[bytes, bytes, bytes]]:
    # An envelope's own fields may come in another order; a span's bytes may not.
    return Counter(
        (
            ResourceSpans.FromString(resource).SerializeToString(deterministic=True),
            ScopeSpans.FromString(scope).SerializeToString(deterministic=True),
            span[: len(span) - appended],
        )
        for resource, scope, span in groups
    )


@given(generated.requests)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_valid_request_comes_out_with_the_same_spans_resources_and_scopes(request: bytes) -> None:
    ExportTraceServiceRequest.FromString(request)  # it is valid
    harness = Harness()
    assert harness.pipeline.ingest(request) == 0
    harness.pipeline.drain()
    out = [group for put in harness.exporter.puts for group in grouped_spans(join_traces([put]))]
    assert all(span.endswith(POLICY) for _, _, span in out)
    assert _canonical(out, len(POLICY)) == _canonical(grouped_spans(request), 0)
    assert_accounted(harness.snapshot())


@given(generated.requests)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_the_exporter_sends_is_a_valid_request(request: bytes) -> None:
    harness = Harness(enrich=True)
    harness.pipeline.ingest(request)
    harness.pipeline.drain()
    sent = ExportTraceServiceRequest.FromString(join_traces(harness.exporter.puts))
    found = [span for groups in sent.resource_spans for scope in groups.scope_spans for span in scope.spans]
    assert len(found) == len(grouped_spans(request))
    assert all(_policy(span) == "everything" for span in found)


def _policy(span: Span) -> str:
    (value,) = [pair.value.string_value for pair in span.attributes if pair.key == "tailsampling.policy"]
    return value
