"""What is read from a span's bytes."""

from itertools import permutations

import pytest
from milvus_otel_processor.spans.span import is_root, is_trace_id, trace_id_and_root_name, well_formed

from tests.support.spans import span, span_id, trace_id
from tests.support.wire import delimited

TRACE = b"0123456789abcdef"
FIELDS = [delimited(1, TRACE), delimited(2, b"span-id!"), delimited(5, b"name")]


@pytest.mark.parametrize(("parent", "root"), [(b"", True), (bytes(8), True), (span_id(1), False), (b"\0", False)])
def test_a_root_has_no_parent_or_one_of_zeros(parent: bytes, root: bool) -> None:
    assert is_root(parent) is root


@pytest.mark.parametrize("order", list(permutations(FIELDS)))
@pytest.mark.parametrize(
    ("parent", "expected"),
    [
        ([], b"name"),
        ([delimited(4, bytes(8))], b"name"),
        ([delimited(4, b"")], b"name"),
        ([delimited(4, b"parent!!")], None),
    ],
    ids=["none", "zeros", "empty", "a parent"],
)
def test_a_root_is_known_whatever_the_order_of_its_fields(
    order: tuple[bytes, ...], parent: list[bytes], expected: bytes | None
) -> None:
    for at in range(len(order) + 1):
        assert trace_id_and_root_name(b"".join([*order[:at], *parent, *order[at:]])) == (TRACE, expected)


def test_a_malformed_span_is_no_root_and_counts_to_the_trace_that_it_begins_with() -> None:
    whole = span(7, name="root").SerializeToString()
    assert trace_id_and_root_name(whole[:29]) == (trace_id(7), None)
    assert trace_id_and_root_name(whole + b"\xff") == (trace_id(7), None)
    assert trace_id_and_root_name(b"\x12\x7f") == (b"", None)
    assert not is_trace_id(trace_id_and_root_name(whole[:17])[0])


def test_of_two_trace_ids_the_last_counts() -> None:
    assert trace_id_and_root_name(delimited(1, bytes(16)) + delimited(1, TRACE)) == (TRACE, b"")


@pytest.mark.parametrize("text", [b"", bytes(16), b"x" * 15, b"x" * 17])
def test_a_trace_id_is_16_bytes_that_are_not_all_zero(text: bytes) -> None:
    assert not is_trace_id(text)
    assert is_trace_id(TRACE)


@pytest.mark.parametrize(
    ("more", "good"),
    [
        (b"", True),
        (delimited(2, b"1234567"), False),
        (delimited(2, b"1234567") + delimited(2, b"12345678"), False),
        (delimited(1, b"short") + delimited(1, TRACE), False),
        (delimited(4, b"12345678"), True),
        (delimited(4, b"1"), False),
        (delimited(13, delimited(1, TRACE) + delimited(2, b"12345678")), True),
        (delimited(13, delimited(1, b"short")), False),
        (delimited(13, delimited(2, b"1") + delimited(2, b"12345678")), False),
        (delimited(9, delimited(2, b"\x0a\x7f")), False),
        (delimited(11, b"\xff"), False),
        (b"\xf8\x07\x01", True),
    ],
)
def test_a_well_formed_span_is_valid_to_the_last_attribute_and_its_ids_have_their_lengths(
    more: bytes, good: bool
) -> None:
    assert well_formed(span().SerializeToString() + more) is good
