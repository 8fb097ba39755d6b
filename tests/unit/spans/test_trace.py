"""A trace as policies and enrichment see it, and what they may append to it."""

import pytest
from milvus_otel_processor.spans.attributes import Encoded, span_attribute
from milvus_otel_processor.spans.schema import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.spans import attributes_of, encoded, span, trace_from, trace_of, with_more

ERROR = Status.STATUS_CODE_ERROR


def read(serialized: bytes) -> Span:
    return Span.FromString(serialized)


def test_heads_say_what_spans_say_of_themselves() -> None:
    one = span(1, 2, parent=1, name="search", start_ms=3, end_ms=9, status=ERROR)
    one.trace_state, one.flags, one.status.message = "a=b", 0x101, "no"
    (head,) = trace_of(one).heads
    assert (head.span_id, head.parent_span_id, head.name, head.kind) == (
        one.span_id,
        one.parent_span_id,
        b"search",
        one.kind,
    )
    assert (head.start_time_unix_nano, head.end_time_unix_nano) == (3_000_000, 9_000_000)
    assert (head.trace_state, head.flags, head.status.code, head.status.message) == (b"a=b", 0x101, 2, b"no")


def test_roots_are_spans_without_a_parent_or_with_one_of_zeros() -> None:
    zeros = span(1, 2, name="zeros")
    zeros.parent_span_id = bytes(8)
    trace = trace_of(span(1, 3, parent=1), span(1, 1, name="none"), zeros)
    assert [head.name for head in trace.roots] == [b"none", b"zeros"]
    assert list(trace.root_indexes) == [1, 2]


def test_an_error_overwrites_the_status_and_the_head_says_so() -> None:
    trace = trace_of(span(1, 1), span(1, 2, parent=1, status=Status.STATUS_CODE_OK))
    assert not trace.has_status(frozenset((2,)))
    trace.set_error(1, "failed")
    assert trace.has_status(frozenset((2,)))
    assert (trace.heads[1].status.code, trace.heads[1].status.message) == (2, b"failed")
    assert (read(trace.span(1)).status.code, read(trace.span(1)).status.message) == (ERROR, "failed")
    assert not trace.has_status(frozenset((1,)))


def test_a_trace_state_overwrites_the_one_before() -> None:
    one = span()
    one.trace_state = "a=b"
    trace = trace_of(one)
    trace.set_trace_state(0, b"c=d")
    assert trace.heads[0].trace_state == b"c=d"
    assert read(trace.span(0)).trace_state == "c=d"


def test_what_is_appended_is_seen_by_whoever_asks_afterwards() -> None:
    trace = trace_of(span(1, 1, attributes={"k": "v"}), span(1, 2, parent=1))
    assert (trace.attribute(1, b"new"), trace.may_hold(b"new"), trace.values_behind(b"new")) == (
        None,
        False,
        frozenset(),
    )
    assert list(trace.span_values(b"new")) == []
    trace.append((1,), span_attribute("new", "x"))
    found = trace.attribute(1, b"new")
    assert found is not None
    assert found.string_value == b"x"
    assert trace.may_hold(b"new")
    assert list(trace.holding(b"new")) == [1]
    assert trace.present(frozenset((b"new", b"old"))) == {b"new"}
    assert [value.string_value for value in trace.span_values(b"new")] == [b"x"]
    assert trace.values_behind(b"new") == frozenset((b"\x0a\x01x",))
    assert trace.attributes(1).keys() == {b"new"}


def test_only_what_is_missing_is_appended_and_the_spans_that_lacked_nothing_are_counted() -> None:
    trace = trace_of(span(1, 1, attributes={"a": 1, "b": 2}), span(1, 2, attributes={"a": 1}), span(1, 3))
    assert trace.append_missing((0, 1, 2), Encoded([("a", 7), ("b", 8)])) == 1
    assert list(map(attributes_of, trace.spans)) == [{"a": 1, "b": 2}, {"a": 1, "b": 8}, {"a": 7, "b": 8}]


def test_places_of_groups() -> None:
    trace = trace_from(encoded(span(1, 1), scope="a"), encoded(span(1, 2), scope="b"), encoded(span(1, 3), scope="a"))
    first, other = trace.groups[0], trace.groups[1]
    assert trace.distinct_groups == {first, other}
    assert list(trace.places(frozenset((first,)))) == [0, 2]
    assert list(trace.places(frozenset())) == []


@pytest.mark.parametrize("more", [b"\xff", b"\x7a\x7f", b"\x2a\x05abc"])
def test_a_malformed_head_is_told_of_whichever_is_asked_for(more: bytes) -> None:
    trace = with_more(trace_of(span(1, 1, status=ERROR), span(1, 2)), more)
    for ask in (
        lambda: trace.heads,
        lambda: trace.roots,
        lambda: trace.root_indexes,
        lambda: trace.duration_nanoseconds,
        lambda: trace.has_status(frozenset((2,))),
    ):
        with pytest.raises(DecodeError):
            ask()


def test_spans_are_judged_by_what_came_and_not_by_what_was_appended() -> None:
    cut = b"\x4a\x05"  # an attribute of five bytes, which are not there
    trace = with_more(trace_of(span(1, 1), span(1, 2)), cut)
    trace.append((0, 1), span_attribute("k", 1))
    rest = trace.without_malformed()
    assert len(rest) == 1
    assert attributes_of(rest.span(0)) == {"k": 1}
    assert rest.without_malformed() is rest


def test_what_came_is_not_changed_by_what_is_appended_to_another_view_of_it() -> None:
    came = [span(1, 1).SerializeToString()]
    trace = trace_of(span(1, 1))
    trace.append((0,), span_attribute("k", 1))
    assert trace.spans[0].startswith(came[0])
    assert attributes_of(trace.spans[0]) == {"k": 1}


class TestDuration:
    BASE = 1_700_000_000_000

    def of(self, *times: tuple[float, float]) -> int:
        return trace_of(*(span(start_ms=start, end_ms=end) for start, end in times)).duration_nanoseconds

    def test_it_is_the_time_from_the_earliest_start_to_the_latest_end(self) -> None:
        base = self.BASE
        assert self.of((base + 5, base + 9), (base + 2, base + 7), (base + 6, base + 8)) == 7_000_000
        assert self.of((base + 5, base + 1)) == -4_000_000
        assert self.of() == 0


@pytest.mark.parametrize(
    ("parents", "complete"),
    [
        ({1: 0}, True),
        ({1: 0, 2: 1, 3: 2}, True),
        ({1: 0, 3: 2}, False),
        ({2: 1, 3: 2}, True),
        ({2: 1, 4: 3}, False),
    ],
)
def test_a_trace_is_complete_where_every_parent_is_there(parents: dict[int, int], complete: bool) -> None:
    assert trace_of(*(span(1, number, parent) for number, parent in parents.items())).complete is complete


def test_the_size_of_its_request_is_that_of_the_request() -> None:
    one = encoded(span(1, 1), span(1, 2))
    assert trace_from(one).request_size == len(one)
