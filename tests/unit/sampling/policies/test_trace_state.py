import pytest
from milvus_otel_processor.sampling.tracestate import parse
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.policies import samples
from tests.support.spans import span, trace_of


def with_state(state: str) -> Span:
    made = span()
    made.trace_state = state
    return made


def sampled(state: str, values: list[str], key: str = "vendor") -> bool:
    return samples(trace_of(span(1, 2), with_state(state)), "trace_state", {"key": key, "values": values})


def test_a_value_under_the_key_is_matched_whole() -> None:
    assert sampled("other=x,vendor=keep", ["drop", "keep"])
    assert not sampled("vendor=keep2", ["keep"])
    assert not sampled("other=keep", ["keep"])
    assert not sampled("vendor=other,other=keep", ["keep"])


def test_a_span_without_a_trace_state_and_an_empty_value_do_not_match() -> None:
    assert not samples(trace_of(span()), "trace_state", {"key": "vendor", "values": [""]})
    assert not sampled("vendor=keep", [])


def test_one_mistake_makes_all_of_a_trace_state_void() -> None:
    assert not sampled("vendor=keep,vendor=keep", ["keep"])
    assert not sampled("vendor=keep,Upper=x", ["keep"])


def test_a_member_of_more_than_256_bytes_matches_nothing() -> None:
    assert sampled("vendor=" + "x" * 249, ["x" * 249])
    assert not sampled("vendor=" + "x" * 250, ["x" * 250])


@pytest.mark.parametrize(
    ("text", "members"),
    [
        (b"", {}),
        (b"a=1", {b"a": b"1"}),
        (b" a=1 ,\tb=2", {b"a": b"1", b"b": b"2"}),
        (b"a=1,,b= 2", {b"a": b"1", b"b": b" 2"}),
        (b"t1@v=x", {b"t1@v": b"x"}),
        (b"a" * 256 + b"=1", {b"a" * 256: b"1"}),
        (b"a" * 257 + b"=1", None),
        (b"a=" + b"x" * 256, {b"a": b"x" * 256}),
        (b"a=" + b"x" * 257, None),
        (b"a=", None),
        (b"=1", None),
        (b"a", None),
        (b"a=b=c", None),
        (b"1a=1", None),
        (b"a =1", None),
        (b"a@b@c=1", None),
        (b"a=\xc3\xa4", None),
        (b",".join(b"k%d=1" % number for number in range(32)), {b"k%d" % number: b"1" for number in range(32)}),
        (b",".join(b"k%d=1" % number for number in range(33)), None),
    ],
)
def test_a_trace_state_is_parsed_as_w3c_says(text: bytes, members: dict[bytes, bytes] | None) -> None:
    assert parse(text) == members
