"""What is read from a span's bytes."""

from itertools import permutations

import pytest
from milvus_otel_processor.otlp.schema import DecodeError
from milvus_otel_processor.otlp.span import is_root, is_valid_trace_id, root_name, trace_id

from tests.support.spans import span, span_id
from tests.support.wire import delimited

TRACE = b"0123456789abcdef"
FIELDS = [delimited(1, TRACE), delimited(2, b"span-id!"), delimited(5, b"name")]


@pytest.mark.parametrize("order", list(permutations(FIELDS)))
def test_the_trace_id_is_found_wherever_it_stands(order: tuple[bytes, ...]) -> None:
    assert trace_id(b"".join(order)) == TRACE


def test_a_malformed_span_has_no_trace_id() -> None:
    with pytest.raises(DecodeError):
        trace_id(b"\x12\x7f")


@pytest.mark.parametrize(
    ("found", "valid"),
    [
        (TRACE, True),
        (b"", False),
        (TRACE[:15], False),
        (TRACE + b"x", False),
        (bytes(16), False),
        (bytes(15) + b"\1", True),
    ],
)
def test_a_trace_id_has_16_bytes_that_are_not_all_zero(found: bytes, valid: bool) -> None:
    assert is_valid_trace_id(found) is valid


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
        assert root_name(b"".join([*order[:at], *parent, *order[at:]])) == expected


def test_a_malformed_span_is_no_root() -> None:
    assert root_name(span(name="root").SerializeToString() + b"\x2a\x7f") is None
