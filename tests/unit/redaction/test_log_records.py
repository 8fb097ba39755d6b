"""What must not leave does not in log records either: attributes, bodies of every kind, resources and scopes."""

from collections import Counter

import pytest
from milvus_otel_processor.redaction.log_records import LogRedaction
from milvus_otel_processor.redaction.settings import RedactionSettings
from milvus_otel_processor.spans.groups import GroupRegistry, join
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from tests.support.log_records import logs_request, record, records_in
from tests.support.spans import any_value, pairs

SECRET = "4111-1111"


def redaction(counts: dict[str, int] | None = None, /, **settings: object) -> LogRedaction:
    made = RedactionSettings.model_validate({"allow_all_keys": True, "blocked_values": [SECRET], **settings})
    return LogRedaction(made, Counter() if counts is None else counts)


def redacted(one: LogRecord, **settings: object) -> LogRecord:
    ((group, (encoded,)),) = GroupRegistry().split(logs_request(one))
    (found,) = records_in([join([redaction(**settings).redacted((group, encoded))])])
    return found


def with_body(value: object) -> LogRecord:
    one = record(1)
    one.body.CopyFrom(any_value(value))
    return one


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (f"card {SECRET} refused", "card **** refused"),
        ([f"{SECRET}", {"card": SECRET, "n": 3}], ["****", {"card": "****", "n": 3}]),
        ({"card": {"number": SECRET}, "ok": True}, {"card": {"number": "****"}, "ok": True}),
        (b"raw", b"raw"),
        (3.5, 3.5),
        (None, None),
        ("", ""),
    ],
    ids=["text", "list", "mapping", "bytes", "number", "empty", "empty text"],
)
def test_what_is_blocked_is_masked_in_bodies_of_every_kind(body: object, left: object) -> None:
    assert redacted(with_body(body)).body == any_value(left)


def test_a_number_as_a_body_is_looked_at_as_the_collector_does() -> None:
    assert redacted(with_body(4711), blocked_values=["47"]).body == AnyValue(string_value="****11")


def test_keys_that_are_not_allowed_are_removed_from_mappings_at_every_depth_and_blocked_ones_are_masked() -> None:
    body = {"user": "ada", "token": "t", "card": {"number": "1", "user": "bob"}}
    keys = {"allow_all_keys": False, "allowed_keys": ["user", "card", "token"], "blocked_key_patterns": ["token"]}
    assert redacted(with_body(body), **keys).body == any_value(
        {"user": "ada", "token": "****", "card": {"user": "bob"}}
    )


def test_attributes_are_redacted_as_those_of_spans_and_what_is_not_looked_at_stays() -> None:
    one = record(1, "fine", {"card": SECRET, "n": 3})
    one.severity_text, one.event_name, one.flags = "WARN", "sale", 1
    left = redacted(one)
    assert list(left.attributes) == pairs({"card": "****", "n": 3})
    del left.attributes[:], one.attributes[:]
    assert left == one


def test_resources_are_redacted_once_for_all_their_records() -> None:
    counts = Counter[str]()
    it = redaction(counts)
    request = logs_request(record(1), record(2), resource={"host.name": SECRET})
    ((group, encoded),) = GroupRegistry().split(request)
    out = join([it.redacted((group, one)) for one in encoded])
    (resource_logs,) = ExportLogsServiceRequest.FromString(out).resource_logs
    assert list(resource_logs.resource.attributes) == pairs({"host.name": "****"})
    assert counts["masked"] == 1


def test_what_is_removed_and_masked_is_counted() -> None:
    counts = Counter[str]()
    it = redaction(counts, allow_all_keys=False, allowed_keys=["card", "service.name"])
    one = with_body({"other": 1, "card": SECRET})
    one.attributes.extend(pairs({"card": SECRET, "gone": 1}))
    ((group, (encoded,)),) = GroupRegistry().split(logs_request(one))
    it.redacted((group, encoded))
    assert counts == {"masked": 2, "redacted": 2}


def test_what_milvus_quotes_of_a_client_is_taken_out_of_its_log() -> None:
    said = "failed to create query plan: cannot parse expression: name == 'ada', error: field not exist"
    assert "ada" not in redacted(with_body(said)).body.string_value
