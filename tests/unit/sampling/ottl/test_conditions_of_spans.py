"""What conditions mean, one by one; that they mean the same to a real Collector is seen in tests/differential."""

import pytest
from milvus_otel_processor.sampling.ottl.compiler import compile_condition
from milvus_otel_processor.sampling.ottl.context import EventContext, SpanContext
from milvus_otel_processor.sampling.ottl.errors import OttlError
from milvus_otel_processor.spans.contract import Trace
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.spans import any_value, encoded, pairs, span, trace_from

NOW = 1_700_003_600_000_000_000
ATTRIBUTES: dict[str, object] = {
    "text": "händler",
    "n": 7,
    "minus": -7,
    "ratio": 0.5,
    "whole": 2.0,
    "flag": True,
    "blob": b"\x00\xff",
    "empty": b"",
    "tags": ["a", 1, [True]],
    "meta": {"b": "x", "a": {"c": 1}},
    "nothing": None,
    "digits": "42",
}


def trace() -> Trace:
    made = span(name="GET /cart", start_ms=1_700_000_000_000, end_ms=1_700_000_000_250, attributes=ATTRIBUTES)
    made.trace_state, made.flags, made.status.message = "vendor=1", 0x101, "timeout"
    made.events.add(name="retry", time_unix_nano=made.start_time_unix_nano + 5, attributes=pairs({"n": 3}))
    made.links.add(trace_id=bytes(16), span_id=bytes(8))
    made.dropped_attributes_count, made.dropped_events_count, made.dropped_links_count = 1, 2, 3
    return trace_from(encoded(made, resource={"service.name": "shop", "zones": ["a", "b"]}, scope="db"))


def holds(condition: str) -> bool:
    return compile_condition(condition, "span", lambda: NOW).test(SpanContext(trace()))


@pytest.mark.parametrize(
    "condition",
    [
        'name == "GET /cart"',
        'span.name != "GET"',
        "kind == SPAN_KIND_SERVER and kind == 2",
        'kind.string == "Server" and kind.deprecated_string == "SPAN_KIND_SERVER"',
        'status.code == STATUS_CODE_UNSET and status.message == "timeout"',
        'trace_id.string == "00000000000000000000000000000001"',
        'trace_id == TraceID("00000000000000000000000000000001")',
        "span_id == SpanID(0x0000000000000001) and span_id != parent_span_id",
        'span_id.string == "0000000000000001" and parent_span_id.string == "0000000000000000"',
        'trace_state == "vendor=1" and trace_state["vendor"] == "1" and trace_state["other"] == ""',
        "flags == 257",
        "start_time_unix_nano == 1700000000000000000 and end_time_unix_nano - start_time_unix_nano == 250000000",
        'end_time - start_time == Duration("250ms")',
        "dropped_attributes_count == 1 and dropped_events_count == 2 and dropped_links_count == 3",
        "Len(events) == 1 and Len(links) == 1 and IsList(events)",
        'resource.attributes["service.name"] == "shop" and resource.attributes["zones"][1] == "b"',
        'resource.dropped_attributes_count == 0 and resource.schema_url == ""',
        'scope.name == "db" and instrumentation_scope.version == "" and scope.attributes["x"] == nil',
        'Len(attributes) == 12 and attributes["meta"]["a"]["c"] == 1',
    ],
)
def test_a_path_leads_to_its_value(condition: str) -> None:
    assert holds(condition)


@pytest.mark.parametrize(
    "condition",
    [
        'attributes["n"] == 7.0 and attributes["whole"] == 2',
        'attributes["n"] > 6.5 and attributes["ratio"] <= 1 and 8 >= attributes["n"]',
        'not attributes["n"] == "7" and attributes["n"] != "7"',
        'not attributes["text"] < 5 and not attributes["text"] >= 5',
        'attributes["absent"] == nil and nil == attributes["nothing"] and attributes["absent"] <= nil',
        'not attributes["absent"] < 5 and not attributes["absent"] > 5 and attributes["absent"] != 5',
        'attributes["flag"] == true and attributes["flag"] > false',
        'attributes["blob"] == 0x00ff and attributes["blob"] < 0x01 and attributes["blob"] != "x"',
        'attributes["empty"] == nil and Len(attributes["empty"]) == 0',
        'attributes["tags"] == ["a", 1.0, [true]] and attributes["tags"] != ["a"]',
        'attributes["meta"] == {"a": {"c": 1}, "b": "x"} and attributes["meta"] != {}',
        'not attributes["tags"] < ["b"]',
        'attributes["n"] + 1 == 8 and attributes["n"] / 2 == 3 and attributes["minus"] / 2 == -3',
        'attributes["n"] / 2.0 == 3.5 and attributes["n"] * 2 - 4 == 10 and 2 + 3 * 4 == 14 and (2 + 3) * 4 == 20',
        '-attributes["n"] == attributes["minus"] and +attributes["n"] == 7 and -(1 + 2) == -3',
        "9223372036854775807 + 1 < 0",
        'start_time + Duration("250ms") == end_time and end_time - Duration("250ms") == start_time',
        'Duration("1m") + start_time > end_time and Duration("2s") - Duration("1s") == Duration("1000ms")',
        "true or false and false",
        "not (true and false)",
        'name == "GET /cart" or attributes["text"] + 1 == 2',
        'not (name == "x" and attributes["text"] + 1 == 2)',
    ],
)
def test_an_operator_does_as_in_go(condition: str) -> None:
    assert holds(condition)


@pytest.mark.parametrize(
    "condition",
    [
        "IsRootSpan()",
        'IsMatch(name, "^GET .+t$") and not IsMatch(name, "^get") and not IsMatch(attributes["nothing"], ".*")',
        'IsMatch(attributes["n"], "^7$") and IsMatch(attributes["meta"], "\\"b\\":\\"x\\"")',
        'HasPrefix(name, "GET") and HasSuffix(name, "cart") and not HasPrefix(name, "cart")',
        'Len(attributes["text"]) == 8 and Len(attributes["tags"]) == 3 and Len(attributes["meta"]) == 2',
        'Int(attributes["digits"]) == 42 and Int(attributes["text"]) == nil and Int(-1.9) == -1 and Int(true) == 1',
        'Double(attributes["digits"]) == 42.0 and Double("1e3") == 1000 and Double(attributes["nothing"]) == nil',
        'String(attributes["n"]) == "7" and String(attributes["whole"]) == "2" and String(true) == "true"',
        'String(attributes["blob"]) == "00ff" and String(attributes["tags"]) == "[\\"a\\",1,[true]]"',
        'String(attributes["meta"]) == "{\\"a\\":{\\"c\\":1},\\"b\\":\\"x\\"}" and String(1.0e21) == "1e+21"',
        'Bool("true") and Bool(1) and not Bool(0.0) and Bool(attributes["nothing"]) == nil',
        'Concat([name, attributes["n"], attributes["nothing"]], "-") == "GET /cart-7-<nil>"',
        'Substring(name, 4, 5) == "/cart" and Substring(attributes["text"], 1, 2, true) == "ä"',
        'Split(name, "/")[1] == "cart" and Len(Split("äb", "")) == 2 and Split("", "/") == [""]',
        "Seconds(end_time - start_time) == 0.25 and Milliseconds(end_time - start_time) == 250",
        'Minutes(Duration("90s")) == 1.5 and Hours(Duration("-30m")) == -0.5 and Microseconds(Duration("-1500ns")) == -1',
        "Year(start_time) == 2023 and Month(start_time) == 11 and Day(start_time) == 14 and Weekday(start_time) == 2",
        "Hour(start_time) == 22 and Minute(start_time) == 13 and Second(start_time) == 20 and Nanosecond(end_time) == 250000000",
        'Now() - start_time == Duration("1h") and UnixNano(Now()) == 1700003600000000000',
        "Unix(1700000000) == start_time and UnixMilli(end_time) == 1700000000250 and UnixSeconds(end_time) == 1700000000",
        'IsString(name) and not IsString(attributes["nothing"]) and not IsString(attributes["blob"])',
        'IsInt(attributes["n"]) and not IsInt(attributes["whole"]) and IsDouble(attributes["whole"]) and not IsInt(true)',
        'IsBool(attributes["flag"]) and IsMap(attributes["meta"]) and IsList(attributes["tags"]) and not IsMap(1)',
        'IsEmpty(attributes["nothing"]) and IsEmpty("") and IsEmpty(0) and IsEmpty([]) and IsEmpty(parent_span_id)',
        'ToLowerCase(name) == "get /cart" and ToUpperCase(attributes["text"]) == "HÄNDLER" and ToUpperCase("ß") == "ß"',
        'Hex(attributes["n"]) == "0000000000000007" and Hex("a") == "61" and Hex(1.0) == "3ff0000000000000"',
        'FNV("hello") == -6615550055289275125 and FNV("") == -3750763034362895579',
        'SHA256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"',
        'MD5("") == "d41d8cd98f00b204e9800998ecf8427e" and SHA1("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709"',
        'Trim("  a ") == "a" and Trim("xax", "x") == "a" and TrimPrefix(name, "GET ") == "/cart" and TrimSuffix("a", "b") == "a"',
        'ContainsValue(attributes["tags"], 1) and ContainsValue(Keys(attributes["meta"]), "a") and Index("abc", "c") == 2',
        'Coalesce([nil, attributes["absent"], 1]) == 1 and Log(1) == 0 and ContainsValue(Values({"a": 5}), 5)',
    ],
)
def test_a_converter_does_as_its_namesake(condition: str) -> None:
    assert holds(condition)


@pytest.mark.parametrize(
    "condition",
    [
        'attributes["nothing"] + 1 == 2',
        "1 / 0 == 1",
        "1.0 / 0 == 1",
        "start_time * 2 == start_time",
        '-attributes["text"] == 1',
        'attributes["tags"][3] == 1',
        'attributes["tags"]["a"] == 1',
        'attributes["text"]["a"] == 1',
        'attributes[attributes["n"]] == 1',
        'Split(name, "/")[2] == ""',
        "Len(1) == 1",
        'Substring(name, 0, 0) == ""',
        'Substring(name, 5, 5) == ""',
        "Double(name) == 1",
        'Double(Concat(["1e999"], "")) == 1',
        "Bool(name)",
        "Log(0) == 0",
        'Duration("5 apples") == Duration("1s")',
        'SpanID("xx") == span_id',
        'HasPrefix(attributes["n"], "7")',
        'Coalesce([attributes["n"]])',
        'IsMatch(name, Concat(["(", name], ""))',
    ],
)
def test_a_condition_without_an_answer_says_so(condition: str) -> None:
    with pytest.raises(OttlError):
        holds(condition)


def test_a_span_with_a_parent_is_no_root() -> None:
    child = trace_from(encoded(span(1, 2, 1)))
    assert not compile_condition("IsRootSpan()", "span", lambda: NOW).test(SpanContext(child))


def test_a_trace_state_that_is_not_valid_has_no_members() -> None:
    odd = Span(trace_id=b"t" * 16, trace_state="Upper=1")
    found = compile_condition('trace_state["upper"] == nil', "span", lambda: NOW)
    assert found.test(SpanContext(trace_from(encoded(odd))))


def test_an_event_condition_reaches_the_event_and_what_is_around_it() -> None:
    whole = trace()
    at = EventContext(whole, 0, whole.events(0)[0])
    for condition in (
        'name == "retry" and span.name == "GET /cart" and attributes["n"] == 3 and span.attributes["n"] == 7',
        'spanevent.time_unix_nano - span.start_time_unix_nano == 5 and time - span.start_time == Duration("5ns")',
        'resource.attributes["service.name"] == "shop" and scope.name == "db" and dropped_attributes_count == 0',
    ):
        assert compile_condition(condition, "spanevent", lambda: NOW).test(at)


def test_bytes_that_are_not_utf_8_are_text_all_the_same() -> None:
    odd = encoded(span(name="abcdef")).replace(b"abcdef", b"a\xff\xc3(\xe2b")
    at = SpanContext(trace_from(odd))
    for condition in (
        'IsMatch(name, "^a..\\\\(.b$")',
        "Len(name) == 6",
        'ToUpperCase(name) == "A\\ufffd\\ufffd(\\ufffdB"',
        'name == "a\\xff\\xc3(\\xe2b"',
    ):
        assert compile_condition(condition, "span", lambda: NOW).test(at)


def test_of_a_key_that_is_there_twice_the_first_counts() -> None:
    twice = span(attributes={"k": 1})
    twice.attributes.add(key="k", value=any_value(2))
    assert compile_condition('attributes["k"] == 1', "span", lambda: NOW).test(SpanContext(trace_from(encoded(twice))))
