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
        ('IsMacth(name, "a")', ["no converter IsMacth", "docs/sampling.md", "did you mean IsMatch?"]),
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


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ("duration > 5000", 'write end_time - start_time > Duration("5s")'),
        ("latency_ms > 5", None),
        ("span.duration > 5", 'write end_time - start_time > Duration("5s")'),
        ("attributes['x'] == 'y'", 'a text stands in double quotes: "x"'),
        ("name == 'y'", 'a text stands in double quotes: "y"'),
        ('name == "a" AND kind == 2', "and, or and not are written in lower case"),
        ('name == "a" OR kind == 2', "and, or and not are written in lower case"),
        ("NOT IsRootSpan()", "and, or and not are written in lower case"),
        ('name == "a" && kind == 2', "write and"),
        ('name == "a" || kind == 2', "write or"),
        ("!IsRootSpan()", "write not"),
        ('name = "a"', "write == to compare"),
        ('name === "a"', "write == to compare"),
        ('name <> "a"', "write !="),
        ('name =~ "a"', "IsMatch("),
        ('name in ["a", "b"]', "ContainsValue("),
        ('name contains "a"', "IsMatch("),
        ('name startsWith "a"', "HasPrefix("),
        ("name == None", "nothing is written nil"),
        ("name == null", "write nil"),
        ('attributes["a"] == True', "true and false are written in lower case"),
        ("attributes.http.status_code == 500", 'attributes["http.status_code"]'),
        ("span.attributes.http.status_code == 500", 'attributes["http.status_code"]'),
        ("resource.attributes.service.name == 500", 'resource.attributes["service.name"]'),
        ("http.status_code == 500", 'attributes["http.status_code"]'),
        ('service.name == "a"', 'resource.attributes["service.name"]'),
        ('resource.service.name == "a"', 'resource.attributes["service.name"]'),
        ('resource["service.name"] == "a"', 'resource.attributes["key"]'),
        ("error == true", "status.code == STATUS_CODE_ERROR"),
        ("status == STATUS_CODE_ERROR", "span.status.code == STATUS_CODE_ERROR"),
        ("status.code == ERROR", "did you mean STATUS_CODE_ERROR?"),
        ("kind == SERVER", "did you mean SPAN_KIND_SERVER?"),
        ('isMatch(name, "a")', "converters begin with a capital letter: IsMatch"),
        ('is_match(name, "a")', "converters begin with a capital letter: IsMatch"),
        ('set(name, "a")', "set changes data, and a condition can only ask"),
        ("name % 2 == 0", "there is no remainder"),
        ('attributes["a"]?.b == 1', "there is no ?"),
    ],
)
def test_the_message_says_what_to_write_instead(condition: str, hint: str | None) -> None:
    with pytest.raises(CompileError) as raised:
        compile_condition(condition, "span", lambda: 0)
    assert (hint or "there is no path span.latency_ms") in str(raised.value)


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ('Any(attributes["tags"], 1)', "the converter Any is not there: it takes a lambda"),
        ('URL(attributes["url.full"])["url.path"] == "/a"', "the converter URL is not there: it takes addresses apart"),
        ('ConvertCase(name, "title") == "a"', "'title' is not known, expected lower, upper, snake or camel"),
        ('ConvertCase(name, attributes["case"]) == "a"', "to_case has to be written as a literal"),
        ('Sort(attributes["tags"], "up")[0] == 1', "'up' is not known, expected asc or desc"),
        ('Decode(name, "latin1") == "a"', "there is no encoding 'latin1'; there is base64,"),
        ('IsInCIDR(name, ["10.0.0.0"])', "is no network, expected one such as 10.0.0.0/8"),
        ('ParseKeyValue(name, "=", "=")["a"] == "b"', "cannot be the same"),
        ('ParseKeyValue(name, "")["a"] == "b"', "a delimiter cannot be empty"),
        ('ExtractPatterns(name, "(a")["a"] == "b"', "is not a regular expression"),
    ],
)
def test_what_a_converter_cannot_take_is_named(condition: str, reason: str) -> None:
    with pytest.raises(CompileError) as raised:
        compile_condition(condition, "span", lambda: 0)
    assert reason in str(raised.value)


def test_in_conditions_about_events_the_hint_names_their_own_attributes() -> None:
    with pytest.raises(CompileError) as raised:
        compile_condition("span.attributes.a == 1", "spanevent", lambda: 0)
    assert 'span.attributes["a"]' in str(raised.value)


def test_a_message_names_the_condition_too() -> None:
    with pytest.raises(CompileError, match=r"'name == nothing': there is no path span\.nothing"):
        compile_condition("name == nothing", "span", lambda: 0)


def test_the_place_of_an_event_is_not_there() -> None:
    with pytest.raises(CompileError, match=r"spanevent\.event_index is not set where traces are sampled"):
        compile_condition("event_index == 0", "spanevent", lambda: 0)


def test_is_root_span_is_for_spans_alone() -> None:
    with pytest.raises(CompileError) as raised:
        compile_condition("IsRootSpan()", "spanevent", lambda: 0)
    assert "IsRootSpan can only be used in span conditions; here, ask for span.parent_span_id" in str(raised.value)


def test_the_converters_that_conditions_are_written_with_are_there() -> None:
    wanted = """IsMatch IsRootSpan HasPrefix HasSuffix Len Int Double String Bool Concat Substring Split Duration Milliseconds
        Seconds Hour Now UnixNano IsString IsInt IsBool IsDouble IsMap IsList ToLowerCase ToUpperCase Hex FNV SHA256"""
    assert set(wanted.split()) <= CONVERTERS.keys()
