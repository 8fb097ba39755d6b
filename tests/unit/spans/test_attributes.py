"""Attributes written and found as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from milvus_otel_processor.spans.attributes import Value, find, span_attribute, text
from milvus_otel_processor.spans.schema import DecodeError
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


def test_an_attribute_is_found_by_its_whole_key() -> None:
    serialized = span(attributes={"key": "a", "key2": "b"}).SerializeToString()
    found = find(serialized, b"key2")
    assert found is not None
    assert found.string_value == b"b"
    assert find(serialized, b"ke") is None


def test_of_several_with_one_key_the_first_is_found() -> None:
    serialized = span_attribute("k", "first") + span_attribute("k", "second")
    assert text(serialized, b"k") == "first"


@pytest.mark.parametrize("value", ["", 7, True, b"x", None], ids=repr)
def test_what_is_not_a_non_empty_text_is_none(value: object) -> None:
    assert text(span(attributes={"k": value}).SerializeToString(), b"k") is None


def test_a_malformed_span_is_an_error_only_where_it_has_to_be_read() -> None:
    malformed = Span(name="k").SerializeToString() + b"\x4a\x7f"
    assert find(malformed, b"other") is None
    with pytest.raises(DecodeError):
        find(malformed, b"k")
