"""Requests of log records, cut."""

from random import Random

import pytest
from milvus_otel_processor.logs.records import Cutter
from milvus_otel_processor.spans.groups import join
from milvus_otel_processor.spans.schema import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.support.log_records import logs_request, record, records_in
from tests.support.spans import trace_id
from tests.support.wire import VARINT, delimited, field

BROKEN_RESOURCE = delimited(1, delimited(1, b"\xff") + delimited(2, delimited(2, record(1).SerializeToString())))
LINE = "2026/11/26 17:27:47.123 +00:00\tSearch\ttcp-127.0.0.1:1\t1ms\t\troot"


def test_each_record_is_under_its_trace_or_under_none() -> None:
    cut = Cutter().cut(logs_request(record(1, "a"), record(2, "b"), record(1, "c"), record(None, "d")))
    by_trace = {one: [len(encoded) for _, encoded in found] for one, found in cut.by_trace.items()}
    assert (cut.records, cut.malformed, len(cut.without_trace_id)) == (4, 0, 1)
    assert {one: len(found) for one, found in by_trace.items()} == {trace_id(1): 2, trace_id(2): 1}


def test_what_was_cut_is_joined_to_the_same_request_unknown_fields_included() -> None:
    request = logs_request(record(1).SerializeToString() + field(99, VARINT, b"\7"), record(None))
    cut = Cutter().cut(request)
    (found,) = cut.by_trace.values()
    joined = join([*found, *cut.without_trace_id])
    assert ExportLogsServiceRequest.FromString(joined) == ExportLogsServiceRequest.FromString(request)
    assert field(99, VARINT, b"\7") in joined


@pytest.mark.parametrize("without", [b"", bytes(16)], ids=["missing", "zeros"])
def test_a_trace_id_that_is_missing_or_zeros_is_none(without: bytes) -> None:
    one = record(1)
    one.trace_id = without
    cut = Cutter().cut(logs_request(one))
    assert (len(cut.without_trace_id), cut.by_trace) == (1, {})


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(record(1).SerializeToString() + delimited(9, b"abc"), id="a second trace id of 3 bytes"),
        pytest.param(record(1).SerializeToString() + delimited(10, b"abc"), id="a second span id of 3 bytes"),
        pytest.param(b"\x0a", id="cut short"),
        pytest.param(delimited(5, b"\xff"), id="a body that is no value"),
        pytest.param(delimited(6, delimited(2, b"\xff")), id="an attribute that is no value"),
    ],
)
def test_a_malformed_record_is_counted_and_costs_no_other(hostile: bytes) -> None:
    cut = Cutter().cut(logs_request(record(1), hostile, record(None)))
    assert (cut.records, cut.malformed, len(cut.without_trace_id)) == (3, 1, 1)
    assert [len(found) for found in cut.by_trace.values()] == [1]


def test_names_that_are_not_utf_8_and_values_that_are_nested_deeply_go_through() -> None:
    deep = {"a": {"b": [{"c": [1, 2.5, None, b"\xff"]}]}}
    odd = record(1, attributes=deep).SerializeToString().replace(b"sold out", b"s\xff\xfeld ou")
    cut = Cutter().cut(logs_request(odd))
    ((found,),) = cut.by_trace.values()
    assert found[1] == odd


@pytest.mark.parametrize("broken", [b"\xff", delimited(1, b"\xff"), BROKEN_RESOURCE])
def test_a_request_that_is_no_protobuf_is_refused_whole(broken: bytes) -> None:
    with pytest.raises(DecodeError):
        Cutter().cut(logs_request(record(1)) + broken)


@pytest.mark.parametrize("empty", [b"", ExportLogsServiceRequest().SerializeToString(), logs_request()])
def test_an_empty_request_holds_nothing(empty: bytes) -> None:
    cut = Cutter().cut(empty)
    assert (cut.records, cut.by_trace, cut.without_trace_id, cut.lines) == (0, {}, [], [])


class TestLinesOfTheAccessLog:
    def lines(self, body: str, **resource: object) -> list[str]:
        cut = Cutter().cut(logs_request(record(None, body), record(1, body), resource=resource))
        return [one.body.string_value for one in records_in([join(cut.lines)])]

    def test_they_are_known_by_how_they_begin(self) -> None:
        assert self.lines(LINE, **{"service.name": "anything"}) == [LINE, LINE]

    @pytest.mark.parametrize("body", ["", "sold out", "2026/11/26 17:27:47 sold out", '{"time":"2026/11/26"}', "\t"])
    def test_other_records_are_none(self, body: str) -> None:
        assert self.lines(body) == []

    def test_what_says_that_it_was_read_from_the_access_log_is_one_whatever_its_format(self) -> None:
        assert self.lines("[2026/11/26] other", **{"log.source": "access_log"}) == ["[2026/11/26] other"] * 2

    def test_what_says_that_it_was_read_elsewhere_is_none(self) -> None:
        assert self.lines(LINE, **{"log.source": "milvus_log"}) == []


def test_whatever_is_changed_in_a_request_it_is_refused_whole_or_each_record_is_in_one_place() -> None:
    whole = logs_request(record(1, "a", {"k": {"n": [1]}}), record(2, LINE), record(None, "c"))
    random = Random(3)
    refused = 0
    for _ in range(3000):
        mutated = bytearray(whole)
        for _ in range(random.randrange(1, 4)):
            at = random.randrange(len(mutated))
            if random.random() < 0.7:
                mutated[at] = random.randrange(256)
            else:
                del mutated[at : at + random.randrange(1, 9)]
        try:
            cut = Cutter().cut(bytes(mutated))
        except DecodeError:
            refused += 1
            continue
        found = sum(map(len, cut.by_trace.values())) + len(cut.without_trace_id)
        assert cut.records == cut.malformed + found
        assert len(cut.lines) <= found
        assert all(len(one) == 16 for one in cut.by_trace)
    assert 0 < refused < 3000
