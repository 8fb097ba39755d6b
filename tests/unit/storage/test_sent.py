"""Which spans went out already."""

from pathlib import Path

import pytest
from milvus_otel_processor.spans.groups import Group
from milvus_otel_processor.spans.span import span_key
from milvus_otel_processor.spans.trace import ReferenceTrace
from milvus_otel_processor.storage.sent import SentLog
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.spans import encoded, span
from tests.support.wire import spans_of

GROUP = Group(b"", b"")


def trace(*numbers: int) -> ReferenceTrace:
    spans = [span(number).SerializeToString() for number in numbers]
    return ReferenceTrace(bytes(16), [GROUP] * len(spans), spans)


def test_what_went_out_is_taken_out_of_the_requests_that_are_taken_in_again(tmp_path: Path) -> None:
    SentLog(tmp_path, lambda: 1).add([trace(1, 2), trace(3)])
    sent = SentLog(tmp_path, lambda: 1).recovered()
    request, out = sent.taken_out_of(encoded(*[span(number) for number in (1, 4, 3, 5)]))
    assert [Span.FromString(found).trace_id[-1] for found in spans_of(request)] == [4, 5]
    assert out == 2
    untouched = encoded(span(4))
    assert sent.taken_out_of(untouched) == (untouched, 0)


def test_a_span_is_found_behind_bytes_that_look_like_the_beginning_of_one(tmp_path: Path) -> None:
    found = span(1)
    SentLog(tmp_path, lambda: 1).add([ReferenceTrace(bytes(16), [GROUP], [found.SerializeToString()])])
    before = span(4, attributes={"text": "\n\x10" * 5 + "\n\x10\n"})
    request, out = SentLog(tmp_path, lambda: 1).recovered().taken_out_of(encoded(before, found))
    assert [Span.FromString(one).trace_id[-1] for one in spans_of(request)] == [4]
    assert out == 1


def test_the_newest_are_remembered_where_more_were_sent_than_memory_is_meant_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("milvus_otel_processor.storage.keys._FILE_BYTES", 24)
    monkeypatch.setattr("milvus_otel_processor.storage.sent._MOST_RECOVERED", 2)
    log = SentLog(tmp_path, lambda: 1)
    for number in (1, 2, 3):
        log.add([trace(number)])
    sent = SentLog(tmp_path, lambda: 1).recovered()
    request, out = sent.taken_out_of(encoded(*[span(number) for number in (1, 2, 3)]))
    assert [Span.FromString(one).trace_id[-1] for one in spans_of(request)] == [1]
    assert out == 2


def test_attributes_that_were_added_do_not_make_it_another_span_but_name_kind_and_times_do() -> None:
    plain = span(1)
    key = span_key(plain.SerializeToString())
    enriched = span(1)
    enriched.attributes.add(key="db.namespace").value.string_value = "default"
    assert span_key(enriched.SerializeToString()) == key
    for change in (
        {"name": "other"},
        {"kind": 3},
        {"start_time_unix_nano": 5},
        {"end_time_unix_nano": 5},
        {"span_id": b"other id"},
    ):
        other = span(1)
        for field, value in change.items():
            setattr(other, field, value)
        assert span_key(other.SerializeToString()) != key
    assert span_key(b"\xff") is None


def test_it_is_forgotten_with_the_requests_that_it_is_about(tmp_path: Path) -> None:
    newest = 7
    log = SentLog(tmp_path, lambda: newest)
    log.add([trace(1)])
    log.forget(oldest_segment=7)
    assert len(SentLog(tmp_path, lambda: 7).recovered()) == 1
    log.forget(oldest_segment=8)
    assert list(tmp_path.iterdir()) == []
    newest = 9
    log.add([trace(2)])
    assert len(SentLog(tmp_path, lambda: 9).recovered()) == 1


def test_a_mark_that_was_cut_is_no_mark(tmp_path: Path) -> None:
    SentLog(tmp_path, lambda: 1).add([trace(1), trace(2)])
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert len(SentLog(tmp_path, lambda: 1).recovered()) == 1
