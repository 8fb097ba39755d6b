"""Where none of the texts that a condition needs is in the bytes of a span, it does not hold, and raises nothing."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from milvus_otel_processor.sampling.ottl.compiler import compile_condition
from milvus_otel_processor.sampling.ottl.context import SpanContext

from tests.differential.conditions import CONDITIONS
from tests.support.generated import requests
from tests.support.spans import trace_from


@pytest.mark.parametrize(
    ("condition", "needle"),
    [
        ('name == "Search"', {b"Search"}),
        ('attributes["k"] == "v"', {b"v"}),
        ('attributes["k"] == 5', {b"k"}),
        ('attributes["k"] > 5', {b"k"}),
        ('attributes["k"] != nil', {b"k"}),
        ('attributes["k"] != 5', None),
        ('attributes["k"] == nil', None),
        ('attributes["k"] == ""', {b"k"}),
        ('resource.attributes["k"] == "v"', None),
        ('attributes["k"]["l"] == "v"', None),
        ('not name == "Search"', None),
        ('name == "a" or name == "b"', {b"a", b"b"}),
        ('name == "a" or kind == 2', None),
        ('name == "a" and kind == 2', {b"a"}),
        ('IsRootSpan() and name == "a"', {b"a"}),
        ('IsMatch(name, "x") and name == "a"', None),
        ('name == "a" and IsMatch(name, "x")', {b"a"}),
    ],
)
def test_what_has_to_be_in_the_bytes_is_known(condition: str, needle: set[bytes] | None) -> None:
    found = compile_condition(condition, "span", lambda: 0).needle
    assert found == (None if needle is None else frozenset(needle))


@pytest.mark.parametrize(
    ("condition", "root_only"),
    [
        ("IsRootSpan()", True),
        ("IsRootSpan() and kind == 2", True),
        ('name == "a" and IsRootSpan()', True),
        ('IsMatch(name, "a") and IsRootSpan()', False),
        ("not IsRootSpan()", False),
        ("IsRootSpan() or kind == 2", False),
        ("IsRootSpan() or IsRootSpan()", True),
    ],
)
def test_what_holds_for_roots_alone_is_known(condition: str, root_only: bool) -> None:
    assert compile_condition(condition, "span", lambda: 0).root_only is root_only


COMPILED = [(text, compile_condition(text, "span", lambda: 0)) for text in CONDITIONS]


# Requests are large, and other tests run beside this one.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(request=requests, pick=st.sampled_from(COMPILED))
def test_a_span_without_the_texts_is_never_held(request: bytes, pick: tuple[str, object]) -> None:
    _, condition = pick
    trace = trace_from(request)
    for index, span in enumerate(trace.spans):
        if condition.needle is not None and not any(text in span for text in condition.needle):  # type: ignore[attr-defined]
            assert condition.test(SpanContext(trace, index)) is False  # type: ignore[attr-defined]
