import time

import pytest
from milvus_otel_processor.sampling.expressions import compiled

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
