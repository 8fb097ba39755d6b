"""Attributes written and found as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from milvus_otel_processor.spans.attributes import Encoded, Value, span_attribute
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.spans.schema import attributes_of as schema_attributes
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.spans import attributes_of, span

integers = st.integers(-(1 << 63), (1 << 63) - 1)
scalars = st.one_of(st.text(), st.booleans(), integers, st.floats(allow_nan=False))


@given(st.text(max_size=300), st.one_of(scalars, st.lists(scalars, max_size=4)))
def test_what_is_written_is_what_the_official_library_reads(key: str, value: Value | list[Value]) -> None:
    found = attributes_of(span_attribute(key, value))
    assert found == {key: value}
    assert repr(found[key]) == repr(value)  # True is not 1, and 1 is not 1.0


def test_an_attribute_is_added_behind_those_that_are_there() -> None:
    before = span(attributes={"a": 1}).SerializeToString()
    assert attributes_of(before + span_attribute("b", "x" * 200)) == {"a": 1, "b": "x" * 200}


def test_a_lone_surrogate_becomes_a_replacement_instead_of_an_error() -> None:
    assert attributes_of(span_attribute("k", "\ud800")) == {"k": "?"}


def missing(attributes: dict[str, Value], serialized: bytes) -> dict[str, object]:
    return attributes_of(Encoded(attributes.items()).missing(serialized))


def test_a_span_is_missing_what_it_has_under_no_key() -> None:
    serialized = span(attributes={"key2": "b"}).SerializeToString()
    assert missing({"key": 1}, serialized) == {"key": 1}  # "key" is in the span's bytes, and no key of it
    assert missing({"key": 1, "key2": 2}, serialized) == {"key": 1}
    assert missing({"key2": 2}, serialized) == {}
    assert missing({"other": 1, "more": 2}, serialized) == {"other": 1, "more": 2}


def test_what_is_not_known_is_not_written() -> None:
    encoded = Encoded([("a", None), ("b", 1)])
    assert attributes_of(encoded.all) == {"b": 1}
    assert [key for key, _ in encoded.attributes] == [b"b"]


def test_of_several_with_one_key_the_first_is_found() -> None:
    serialized = span_attribute("k", "first") + span_attribute("k", "second")
    assert schema_attributes(serialized)[b"k"].string_value == b"first"


def test_a_malformed_span_is_an_error_only_where_it_has_to_be_read() -> None:
    malformed = Span(name="k").SerializeToString() + b"\x4a\x7f"
    assert missing({"other": 1}, malformed) == {"other": 1}
    with pytest.raises(DecodeError):
        missing({"k": 1}, malformed)
