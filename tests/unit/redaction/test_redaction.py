"""What must not leave does not: attributes of every kind and place, messages, spans that come late."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter

import pytest
from milvus_otel_processor.config import ConfigError, load_config
from milvus_otel_processor.redaction.redaction import Redaction
from milvus_otel_processor.redaction.settings import RedactionSettings
from milvus_otel_processor.service.assemble import redacts
from milvus_otel_processor.spans.contract import Trace
from milvus_otel_processor.telemetry.counters import Telemetry
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status
from pydantic import ValidationError

from tests.support.harness import ALWAYS, Harness, sampling
from tests.support.peer import peer
from tests.support.processor import Configuration, exporter_settings, receiver_settings, running_processor
from tests.support.spans import span, trace_of

SECRET = "s3cret-4711"


def settings(**values: object) -> RedactionSettings:
    return RedactionSettings.model_validate({"allow_all_keys": True, **values})


def text(value: str) -> AnyValue:
    return AnyValue(string_value=value)


def with_attributes(**attributes: AnyValue) -> Span:
    found = span()
    found.attributes.extend(KeyValue(key=key.replace("_", "."), value=value) for key, value in attributes.items())
    return found


def redacted(one: Span, **values: object) -> Span:
    trace = Redaction("redaction", settings(**values), Telemetry()).redacted(trace_of(one))
    return Span.FromString(trace.span(0))


def attributes(one: Span) -> dict[str, AnyValue]:
    return {pair.key: pair.value for pair in one.attributes}


def test_keys_that_are_not_allowed_are_removed_and_the_others_stay_in_their_order() -> None:
    one = with_attributes(a=text("1"), b=text("2"), c=text("3"))
    assert list(attributes(redacted(one, allow_all_keys=False, allowed_keys=["c", "a"]))) == ["a", "c"]
    assert list(attributes(redacted(one, allow_all_keys=False))) == []
    assert redacted(one) == one


def test_values_of_blocked_keys_are_masked_whatever_their_type() -> None:
    one = with_attributes(
        user_token=text(SECRET),
        token_count=AnyValue(int_value=7),
        token_list=AnyValue(array_value=ArrayValue(values=[text(SECRET)])),
        other=text("stays"),
    )
    found = attributes(redacted(one, blocked_key_patterns=["(?i)TOKEN"]))
    assert [found[key].string_value for key in ("user.token", "token.count", "token.list")] == ["****"] * 3
    assert found["other"].string_value == "stays"


def test_the_parts_of_values_that_are_blocked_are_masked_also_inside_lists_and_mappings() -> None:
    inside = KeyValueList(
        values=[KeyValue(key="card", value=text("4111111111111111 x")), KeyValue(key="pin", value=text("1"))]
    )
    one = with_attributes(
        note=text("pays with 4111111111111111, and 4111111111111112"),
        list=AnyValue(array_value=ArrayValue(values=[text("a"), text("4111111111111111"), text("4111111111111119")])),
        map=AnyValue(kvlist_value=inside),
        raw=AnyValue(bytes_value=b"\xff4111111111111111"),
        number=AnyValue(int_value=4111111111111111),
    )
    found = attributes(redacted(one, blocked_values=["4[0-9]{15}"], blocked_key_patterns=["^pin$"]))
    assert found["note"].string_value == "pays with ****, and ****"
    assert [item.string_value for item in found["list"].array_value.values] == ["a", "****", "****"]
    assert [pair.value.string_value for pair in found["map"].kvlist_value.values] == ["**** x", "****"]
    assert found["raw"].string_value == "\ufffd****"
    assert found["number"].int_value == 4111111111111111
    assert (
        attributes(redacted(one, blocked_values=["4[0-9]{15}"], redact_all_types=True))["number"].string_value == "****"
    )


def test_each_of_several_patterns_is_masked_also_where_one_has_an_alternative_or_flags() -> None:
    one = with_attributes(a=text("Alpha beta GAMMA delta alpha"))
    found = redacted(one, blocked_values=["(?i)gamma", "^Alpha|delta", "t(a)"])
    assert attributes(found)["a"].string_value == "**** be**** **** **** alpha"


def test_ignored_keys_and_allowed_values_are_left_as_they_are() -> None:
    one = with_attributes(
        safe=text(SECRET), safe_too=text(SECRET), mail=text(f"a@shop.com {SECRET}"), gone=text(SECRET)
    )
    found = attributes(
        redacted(
            one,
            ignored_keys=["safe"],
            ignored_key_patterns=[r"\.too$"],
            allowed_values=["@shop\\.com"],
            blocked_values=[SECRET],
        )
    )
    assert [found[key].string_value for key in ("safe", "safe.too", "mail", "gone")] == [
        SECRET,
        SECRET,
        f"a@shop.com {SECRET}",
        "****",
    ]


def test_events_links_and_the_message_of_the_status_are_redacted_too() -> None:
    one = span(status=Status.STATUS_CODE_ERROR)
    one.status.message = f"refused {SECRET}"
    one.events.add(name="exception").attributes.append(KeyValue(key="exception.message", value=text(SECRET)))
    one.links.add(trace_id=b"t" * 16, span_id=b"s" * 8).attributes.append(KeyValue(key="why", value=text(SECRET)))
    found = redacted(one, blocked_values=[SECRET])
    assert found.status.message == "refused ****"
    assert found.status.code == Status.STATUS_CODE_ERROR
    assert found.events[0].attributes[0].value.string_value == "****"
    assert found.links[0].attributes[0].value.string_value == "****"
    assert SECRET.encode() not in found.SerializeToString()


@pytest.mark.parametrize(
    ("message", "left"),
    [
        (
            f"predicate is not a boolean expression: a + {SECRET}, data type: Int64",
            "predicate is not a boolean expression: …, data type: Int64",
        ),
        (f"the value {SECRET} exceeds max length 5", "the value … exceeds max length 5"),
        (
            f'cannot parse expression: a == "{SECRET}, error: {SECRET}", error: line 1:5 mismatched input {SECRET!r}',
            "cannot parse expression: …, error: line 1:5 mismatched input",
        ),
        ("collection not found[collection=items]", "collection not found[collection=items]"),
    ],
    ids=["no predicate", "too long", "holds the parser's words", "quotes nothing"],
)
def test_what_milvus_quotes_of_a_client_is_taken_out_wherever_its_message_is(message: str, left: str) -> None:
    one = with_attributes(milvus_error_message=text(message))
    one.status.message = message
    one.events.add().attributes.append(KeyValue(key="exception.message", value=text(message)))
    found = redacted(one)
    assert attributes(found)["milvus.error.message"].string_value == left
    assert (found.status.message, found.events[0].attributes[0].value.string_value) == (left, left)
    assert redacted(one, milvus_messages=False) == one


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("md5", hashlib.md5(SECRET.encode(), usedforsecurity=False).hexdigest()),
        ("sha1", hashlib.sha1(SECRET.encode(), usedforsecurity=False).hexdigest()),
        ("sha3", hashlib.sha3_256(SECRET.encode()).hexdigest()),
        ("hmac-sha256", hmac.new(b"key", SECRET.encode(), "sha256").hexdigest()),
        ("hmac-sha512", hmac.new(b"key", SECRET.encode(), "sha512").hexdigest()),
    ],
)
def test_a_hash_can_stand_in_the_place_of_what_is_masked(function: str, expected: str) -> None:
    key = {"hmac_key": "key"} if function.startswith("hmac") else {}
    found = redacted(with_attributes(a=text(SECRET)), blocked_values=[SECRET], hash_function=function, **key)
    assert attributes(found)["a"].string_value == expected


def test_a_summary_says_what_was_done() -> None:
    one = with_attributes(b=text(SECRET), a=text(SECRET), safe=text("x"), gone=text("x"), fine=text("ok"))
    how = {
        "allow_all_keys": False,
        "allowed_keys": ["a", "b", "fine"],
        "ignored_keys": ["safe"],
        "allowed_values": ["^ok$"],
    }
    found = attributes(redacted(one, blocked_values=[SECRET], summary="debug", **how))
    assert {
        key: value.string_value or value.int_value for key, value in found.items() if key.startswith("redaction.")
    } == {
        "redaction.redacted.keys": "gone",
        "redaction.redacted.count": 1,
        "redaction.masked.keys": "a,b",
        "redaction.masked.count": 2,
        "redaction.allowed.keys": "fine",
        "redaction.allowed.count": 1,
        "redaction.ignored.count": 1,
    }
    counts = attributes(redacted(one, blocked_values=[SECRET], summary="info", **how))
    assert "redaction.masked.keys" not in counts
    assert counts["redaction.masked.count"].int_value == 2


def test_a_key_and_a_function_without_it_and_broken_patterns_are_refused() -> None:
    for wrong in ({"hash_function": "hmac-sha256"}, {"hmac_key": "x"}, {"hash_function": "md5", "hmac_key": "x"}):
        with pytest.raises(ValidationError, match="both or neither"):
            settings(**wrong)
    with pytest.raises(ValidationError, match="is not a regular expression"):
        settings(blocked_values=["("])


class TestInThePipeline:
    def run(self, **values: object) -> tuple[Harness, list[Span]]:
        harness = Harness(sampling(ALWAYS))
        redaction = Redaction("redaction", settings(**values), harness.telemetry)
        harness.pipeline._decider._outlet._redact = redaction.redacted
        harness.put(with_attributes(a=text(SECRET)))
        harness.decide_all()
        late = with_attributes(a=text(SECRET))
        late.span_id = b"late" * 2
        harness.put(late)
        return harness, [Span.FromString(one) for one in harness.exporter.spans]

    def test_spans_and_those_that_come_late_are_redacted_and_counted(self) -> None:
        harness, spans = self.run(blocked_values=[SECRET])
        assert [attributes(one)["a"].string_value for one in spans] == ["****", "****"]
        assert harness.snapshot().redactions == Counter(masked=2)
        assert harness.snapshot().stage_seconds["redaction"] > 0

    def test_what_cannot_be_redacted_does_not_leave_and_is_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_self: Redaction, _trace: Trace) -> Trace:
            raise RuntimeError("a fault")

        monkeypatch.setattr(Redaction, "redacted", fail)
        harness, spans = self.run()
        assert spans == []
        assert harness.snapshot().lost_spans == Counter(failed=2)


def test_resources_and_scopes_leave_redacted_over_the_wire() -> None:
    request = ExportTraceServiceRequest()
    resource: ResourceSpans = request.resource_spans.add(schema_url="u")
    resource.resource.attributes.append(KeyValue(key="service.name", value=text(SECRET)))
    scope: ScopeSpans = resource.scope_spans.add()
    scope.scope.name = "lib"
    scope.scope.attributes.append(KeyValue(key="token", value=text("x")))
    scope.spans.extend([span(1, 1), span(1, 2, parent=1)])
    with peer() as server:
        configuration = Configuration(
            receiver_settings(),
            exporter_settings(server.endpoint),
            redaction=settings(blocked_values=[SECRET], blocked_key_patterns=["token"]),
        )
        assert redacts(configuration)
        with running_processor(configuration) as running:
            running.send(request.SerializeToString())
            running.stop()
        sent = [ExportTraceServiceRequest.FromString(one) for one in server.requests]
    (out,) = [one for request in sent for one in request.resource_spans]
    assert (out.schema_url, out.resource.attributes[0].value.string_value) == ("u", "****")
    assert (out.scope_spans[0].scope.name, out.scope_spans[0].scope.attributes[0].value.string_value) == ("lib", "****")
    assert len(out.scope_spans[0].spans) == 2


def test_it_has_to_be_the_last_processor() -> None:
    overrides = ["processors.redaction={allow_all_keys: true}"]
    last = "service.pipelines.traces.processors=[milvus, tail_sampling, redaction]"
    assert load_config(None, overrides=[*overrides, last], environ={}).config.stages[-1].name == "redaction"
    for order in ("milvus, redaction, tail_sampling", "redaction, milvus, tail_sampling"):
        with pytest.raises(ConfigError, match="redaction"):
            load_config(None, overrides=[*overrides, f"service.pipelines.traces.processors=[{order}]"], environ={})
