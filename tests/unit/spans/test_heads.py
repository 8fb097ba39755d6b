"""The heads of a trace's spans, decoded one by one."""

import pytest
from milvus_otel_processor.spans.heads import Heads
from milvus_otel_processor.spans.schema import DecodeError

from tests.support.spans import span

SPANS = [span(1, number, name=f"span {number}").SerializeToString() for number in (1, 2, 3)]
MALFORMED = SPANS[1] + b"\xff"


def names(heads: Heads) -> list[bytes]:
    return [head.name for head in heads]


def test_each_is_at_its_place() -> None:
    heads = Heads(SPANS)
    assert len(heads) == 3
    assert heads[2].name == b"span 3"
    assert heads[-1].name == b"span 3"
    assert [head.name for head in heads[:2]] == [b"span 1", b"span 2"]
    assert names(heads) == [b"span 1", b"span 2", b"span 3"]


def test_they_are_decoded_once_all_of_them_were_asked_for() -> None:
    heads = Heads(SPANS)
    assert heads[0] is heads[0]
    assert not heads.are_decoded
    assert heads.all()[0] is heads[0]
    assert heads.are_decoded


def test_a_malformed_span_is_told_of_when_it_is_asked_for() -> None:
    heads = Heads([SPANS[0], MALFORMED, SPANS[2]])
    assert heads[2].name == b"span 3"
    with pytest.raises(DecodeError):
        heads[1]
    with pytest.raises(DecodeError):
        heads.all()
    with pytest.raises(DecodeError):
        names(heads)


def test_one_that_is_forgotten_is_decoded_anew() -> None:
    spans = list(SPANS)
    heads = Heads(spans)
    assert names(heads)[1] == b"span 2"
    spans[1] = span(1, 2, name="another").SerializeToString()
    assert heads[1].name == b"span 2"
    heads.forget(1)
    assert not heads.are_decoded
    assert heads[1].name == b"another"
    assert names(heads) == [b"span 1", b"another", b"span 3"]


def test_no_spans_have_no_heads() -> None:
    heads = Heads([])
    assert len(heads) == 0
    assert heads.all() == []
