"""What is no condition is refused at the start, and the message says what is wrong and what there is."""

import pytest
from milvus_otel_processor.sampling.ottl.compiler import compile_condition
from milvus_otel_processor.sampling.ottl.converters import CONVERTERS
from milvus_otel_processor.sampling.ottl.errors import CompileError


@pytest.mark.parametrize(
    ("condition", "reasons"),
    [
        ("", ["ends where something is missing"]),
        ("name == ", ["ends where something is missing"]),
        ('name = "x"', ["column 6", '= "x"']),
        ('name == "x" )', ["column 13"]),
        ('name == "x', ["column 9"]),
        ("name ==  'x'", ["column 10"]),
        ("not not true", ["column 9"]),
        ('set(name, "x")', ["column 4"]),
        ("name", ["name is a value, expected a comparison, such as name != nil"]),
        ('attributes["x"] and true', ["attributes[", "expected a comparison"]),
        ("(1 == 1) == true", ["is a condition, expected a value"]),
        ("nmae == 1", ["there is no path span.nmae", "span.name", "did you mean span.name?"]),
        ("status == nil", ["span.status as a whole cannot be compared", "span.status.code"]),
        ('cache["a"] == 1', ["span.cache is empty"]),
        ("otelcol.client.addr != nil", ["span.otelcol.client.addr is empty", "requests"]),
        ("resource.name == 1", ["there is no path resource.name", "resource.attributes"]),
        ('name["x"] == 1', ["span.name cannot be indexed"]),
        ('trace_state["a"]["b"] == ""', ["cannot be indexed"]),
        ("kind == SPAN_KIND_SERVR", ["SPAN_KIND_SERVR", "SPAN_KIND_CLIENT", "did you mean SPAN_KIND_SERVER?"]),
        ('IsMacth(name, "a")', ["no converter IsMacth in span conditions", "HasPrefix", "did you mean IsMatch?"]),
        ('ParseJSON(name)["a"] == 1', ["no converter ParseJSON", "Len"]),
        ("IsMatch(name)", ["IsMatch lacks pattern, expected IsMatch(target, pattern)"]),
        ('IsMatch(name, "a", "b")', ["3 arguments, expected IsMatch(target, pattern)"]),
        ('IsMatch(name, patern="a")', ["argument patern", "IsMatch(target, pattern)"]),
        ('IsMatch(name, target="a")', ["argument target too many"]),
        ('IsMatch(name, "(a")', ["'(a' is not a regular expression", "missing )", "RE2"]),
        ('IsMatch(name, "a(?=b)")', ["invalid perl operator"]),
        ('Double("x") == 1', ["Double: target: 'x' is not a number"]),
        ("IsMatch(name, 5)", ["IsMatch: pattern: expected string but got int64"]),
        ('name == "\\d"', ["\\d", "not an escape"]),
        ('name == "\\ud800"', ["not an escape"]),
        ("1 + true == 2", ["true", "expected a number"]),
        ('"a" + "b" == "ab"', ["expected a number"]),
        ("9223372036854775808 == 1", ["beyond what an int64 holds"]),
        ('attributes["x"] == 0x123', ["odd number of digits"]),
    ],
)
def test_the_message_names_what_is_wrong(condition: str, reasons: list[str]) -> None:
    with pytest.raises(CompileError) as raised:
        compile_condition(condition, "span", lambda: 0)
    for reason in reasons:
        assert reason in str(raised.value)


def test_a_message_names_the_condition_too() -> None:
    with pytest.raises(CompileError, match=r"'name == nothing': there is no path span\.nothing"):
        compile_condition("name == nothing", "span", lambda: 0)


def test_the_place_of_an_event_is_not_there() -> None:
    with pytest.raises(CompileError, match=r"spanevent\.event_index is not set where traces are sampled"):
        compile_condition("event_index == 0", "spanevent", lambda: 0)


def test_is_root_span_is_for_spans_alone() -> None:
    with pytest.raises(CompileError) as raised:
        compile_condition("IsRootSpan()", "spanevent", lambda: 0)
    assert "IsRootSpan in spanevent conditions; there is Bool" in str(raised.value)


def test_the_converters_that_conditions_are_written_with_are_there() -> None:
    wanted = """IsMatch IsRootSpan HasPrefix HasSuffix Len Int Double String Bool Concat Substring Split Duration Milliseconds
        Seconds Hour Now UnixNano IsString IsInt IsBool IsDouble IsMap IsList ToLowerCase ToUpperCase Hex FNV SHA256"""
    assert set(wanted.split()) <= CONVERTERS.keys()
