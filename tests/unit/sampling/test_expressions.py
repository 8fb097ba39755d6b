import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from milvus_otel_processor.sampling.expressions import Searcher, compiled

from tests.support.policies import samples
from tests.support.spans import span, trace_of

EVIL = "(a+)+$"
LONG = "a" * 100_000 + "!"
SOON = 2.0
"""Seconds. With Python's own expressions it would be longer than the universe is old."""


@pytest.mark.parametrize(
    ("type_", "settings"),
    [
        ("string_attribute", {"key": "k", "values": [EVIL], "enabled_regex_matching": True}),
        ("span_name", {"names": [EVIL], "enabled_regex_matching": True}),
        ("ottl_condition", {"span": [f'IsMatch(attributes["k"], "{EVIL}") or IsMatch(name, "{EVIL}")']}),
    ],
)
def test_an_expression_built_to_blow_up_does_not_stall(type_: str, settings: dict[str, object]) -> None:
    trace = trace_of(span(name=LONG, attributes={"k": LONG}))
    started = time.process_time()
    assert not samples(trace, type_, settings)
    assert time.process_time() - started < SOON


@pytest.mark.parametrize("expression", ["a(?=b)", r"(a)\1", "(?<!a)b", "*", "a{1001}"])
def test_what_is_not_re2_is_refused_with_the_reason(expression: str) -> None:
    with pytest.raises(ValueError, match=r"is not a regular expression: .+ expected the syntax of RE2") as raised:
        compiled(expression)
    assert repr(expression) in str(raised.value)


def test_each_byte_that_is_not_utf_8_is_one_character() -> None:
    assert compiled("^a.{3}b$")(b"a\xff\xe2\x82b")
    assert not compiled("^a.b$")(b"a\xe2\x82b")
    assert compiled("^a.b$")("aäb".encode())


def test_texts_are_found_as_they_are_bytes_and_all() -> None:
    texts = Searcher([b"a.b", b"\xff\x00", "ä".encode()])
    assert texts.any_in(b"xa.by")
    assert not texts.any_in(b"axb")
    assert texts.any_in(b"\xff\x00")
    assert not texts.any_in(b"\xff")
    assert texts.any_in("händler".encode())


letters = st.text("ab", min_size=1, max_size=4).map(str.encode)


@given(texts=st.sets(letters, min_size=1, max_size=6), found=st.text("abc", max_size=30).map(str.encode))
def test_all_texts_are_found_also_where_they_overlap(texts: set[bytes], found: bytes) -> None:
    searcher = Searcher(texts)
    there = {text for text in texts if text in found}
    assert searcher.any_in(found) is bool(there)
    assert searcher.all_in(found) == there
