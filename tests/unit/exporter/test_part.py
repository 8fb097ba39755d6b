"""What is cut in halves is cut between traces, and within one where there is but one."""

from milvus_otel_processor.exporter.part import Part, of_request, of_traces
from milvus_otel_processor.spans.groups import Group, join_traces
from milvus_otel_processor.spans.trace import ReferenceTrace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

GROUP = Group(b"", b"")


def trace(*names: str) -> ReferenceTrace:
    spans = [Span(trace_id=bytes(15) + b"1", name=name).SerializeToString() for name in names]
    return ReferenceTrace(bytes(15) + b"1", [GROUP] * len(names), spans)


def names(part: Part) -> list[str]:
    request = ExportTraceServiceRequest.FromString(part.request())
    found = [span.name for one in request.resource_spans for scope in one.scope_spans for span in scope.spans]
    assert len(found) == part.spans
    return found


def cut(part: Part) -> list[list[str]]:
    """The names in the first half, then those in the second."""
    second, first = part.halves()
    return [names(first), names(second)]


def test_several_traces_are_cut_between_traces() -> None:
    part = of_traces([trace("a", "b"), trace("c"), trace("d")], join_traces)
    assert cut(part) == [["a", "b"], ["c", "d"]]


def test_one_trace_is_cut_between_its_spans_down_to_the_last() -> None:
    second, first = of_traces([trace("a", "b", "c")], join_traces).halves()
    assert [names(first), *cut(second)] == [["a"], ["b"], ["c"]]


def test_halves_of_several_traces_are_cut_on() -> None:
    second, first = of_traces([trace("a", "b"), trace("c", "d", "e")], join_traces).halves()
    assert cut(first) + cut(second) == [["a"], ["b"], ["c"], ["d", "e"]]


def test_a_request_is_cut_between_its_spans() -> None:
    request = join_traces([trace("a", "b"), trace("c", "d")])
    assert cut(of_request(request, 4)) == [["a", "b"], ["c", "d"]]
