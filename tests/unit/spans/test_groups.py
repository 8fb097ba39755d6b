"""Requests cut into groups, and put together again."""

import pytest
from milvus_otel_processor.spans.groups import GroupRegistry, join
from milvus_otel_processor.spans.schema import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support import recorded
from tests.support.recordings import MIXES, Recording
from tests.support.spans import encoded, request, span
from tests.support.wire import delimited, grouped_spans, spans_of


def test_the_same_resource_and_scope_are_one_group_in_every_request() -> None:
    registry = GroupRegistry()
    ((first, _),) = registry.split(encoded(span(1)))
    ((second, _),) = registry.split(encoded(span(2)))
    ((other_scope, _),) = registry.split(encoded(span(2), scope="other"))
    ((other_resource, _),) = registry.split(encoded(span(2), resource={"service.name": "other"}))
    assert first is second
    assert len({first, other_scope, other_resource}) == 3


def test_a_registry_that_is_full_starts_anew_and_still_answers() -> None:
    registry = GroupRegistry(limit=2)
    for name in "abcabc":
        ((group, spans),) = registry.split(encoded(span(), resource={"service.name": name}))
        assert group.resource_attributes[b"service.name"].string_value == name.encode()
        assert spans == [span().SerializeToString()]
        assert len(registry._groups) <= 2


@pytest.mark.parametrize(
    "empty",
    [b"", delimited(1, b""), delimited(1, delimited(2, b"")), ExportTraceServiceRequest().SerializeToString()],
    ids=["no bytes", "no scope", "no span", "no resource"],
)
def test_a_request_without_spans_has_none(empty: bytes) -> None:
    assert [span for _, spans in GroupRegistry().split(empty) for span in spans] == []


def test_spans_without_resource_and_scope_are_carried_too() -> None:
    bare = delimited(1, delimited(2, delimited(2, span().SerializeToString())))
    ((group, spans),) = GroupRegistry().split(bare)
    assert (group.resource, group.scope, group.resource_attributes) == (b"", b"", {})
    assert join([(group, spans[0])]) == bare


def test_of_a_resource_key_that_comes_twice_the_first_counts() -> None:
    twice = request(span(), resource={"k": "first"})
    twice.resource_spans[0].resource.attributes.add(key="k").value.string_value = "second"
    ((group, _),) = GroupRegistry().split(twice.SerializeToString())
    assert group.resource_attributes[b"k"].string_value == b"first"


def test_nothing_joined_is_an_empty_request() -> None:
    assert join([]) == b""


def test_joined_spans_stand_together_under_their_own_resource_and_scope() -> None:
    registry = GroupRegistry()
    sent = [encoded(span(1), scope="a"), encoded(span(2), scope="b"), encoded(span(3), scope="a")]
    pairs = [(group, one) for message in sent for group, spans in registry.split(message) for one in spans]
    joined = ExportTraceServiceRequest.FromString(join(pairs))
    (resource_spans,) = joined.resource_spans
    found = {scope.scope.name: [one.trace_id[-1] for one in scope.spans] for scope in resource_spans.scope_spans}
    assert found == {"a": [1, 3], "b": [2]}


@pytest.mark.parametrize("recording", MIXES, ids=str)
def test_recorded_requests_come_out_as_they_went_in(recording: Recording) -> None:
    for original in recording.requests:
        pairs = [(group, one) for group, spans in GroupRegistry().split(original) for one in spans]
        assert sorted(grouped_spans(join(pairs))) == sorted(grouped_spans(original))


def test_the_recording_is_whole() -> None:
    found = [one for message in recorded.requests() for one in spans_of(message)]
    assert len(found) == recorded.SPANS
    assert len({one[2:18] for one in found}) == recorded.TRACES
    assert len(recorded.access_log_lines()) == 240


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_request_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(DecodeError):
        GroupRegistry().split(encoded(span())[:-cut])
