"""What is read from a span's bytes."""

from itertools import permutations

import pytest
from milvus_otel_processor.spans.schema import DecodeError, HeadView
from milvus_otel_processor.spans.span import extent, is_root, root_name, status_search, trace_id
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

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
    whole = span(name="root").SerializeToString()
    assert root_name(whole[:17]) is None
    assert root_name(whole[:29]) is None
    assert root_name(b"\x12\x7f") is None


def test_a_name_that_is_too_long_for_one_byte_of_length_is_read_whole() -> None:
    for length in (0, 1, 127, 128, 300):
        name = "n" * length
        assert root_name(span(name=name).SerializeToString()) == name.encode()


def test_a_parent_that_stands_far_behind_the_name_is_seen() -> None:
    whole = span(name="child", attributes={"key": "x" * 200}).SerializeToString()
    assert root_name(whole + delimited(4, b"parent!!")) is None


class TestStatusSearch:
    def test_a_status_is_found_in_every_form_that_a_number_may_have(self) -> None:
        surely_not = status_search([2])
        for number in (b"\x02", b"\x82\x00", b"\x82\x80\x80\x80\x10"):
            failed = delimited(15, b"\x18" + number)
            assert HeadView.FromString(failed).status.code == 2
            assert surely_not(failed) is not None

    def test_other_codes_are_not_found(self) -> None:
        ok = span(status=Status.STATUS_CODE_OK).SerializeToString()
        assert status_search([2])(ok) is None
        assert status_search([1, 2])(ok) is not None
        assert status_search([1, 2])(span().SerializeToString()) is None


class TestExtent:
    BASE = 1_700_000_000_000_000_000

    def joined(self, *times: tuple[int, int], kind: int = Span.SPAN_KIND_SERVER, text: str = "") -> bytes:
        spans = []
        for start, end in times:
            one = span(kind=kind, attributes={"text": text})
            one.start_time_unix_nano, one.end_time_unix_nano = start, end
            spans.append(one.SerializeToString())
        return b"".join(spans)

    def test_it_is_the_time_from_the_earliest_start_to_the_latest_end(self) -> None:
        base = self.BASE
        assert extent(self.joined((base + 5, base + 9), (base + 2, base + 7), (base + 6, base + 8)), 3) == 7
        assert extent(self.joined((base + 5, base + 1)), 1) == -4

    def test_times_that_do_not_stand_where_encoders_put_them_are_left_to_the_decoder(self) -> None:
        base = self.BASE
        assert extent(self.joined((1, 2)), 1) is None
        assert extent(self.joined((base, base), kind=Span.SPAN_KIND_UNSPECIFIED), 1) is None
        assert extent(self.joined((base, base), (0, base)), 2) is None
        assert extent(b"", 0) is None

    def test_what_looks_like_times_within_a_text_is_left_to_the_decoder(self) -> None:
        base = self.BASE
        assert extent(self.joined((base, base + 1), text="0\2" + "9" + "\x17" * 8 + "A" + "\x17" * 8), 1) is None
