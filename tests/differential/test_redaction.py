"""The same spans through the Collector's `redaction` processor and through ours, with the same settings: what is left of them."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from milvus_otel_processor.redaction.redaction import Redaction
from milvus_otel_processor.redaction.settings import RedactionSettings
from milvus_otel_processor.telemetry.counters import Telemetry
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.differential.compare import send
from tests.peers.collector import collector
from tests.support.spans import trace_of

Block = dict[str, Any]
Attributes = dict[str, AnyValue]

CARD, MAIL = r"\b4[0-9]{15}\b", r"[a-z.]+@[a-z]+\.com"
ALL: Block = {"allow_all_keys": True}
BLOCKS: dict[str, Block] = {
    "nothing allowed": {},
    "allowed keys": {"allowed_keys": ["user", "note", "count"], "summary": "debug"},
    "blocked values": {**ALL, "blocked_values": [CARD, MAIL], "summary": "debug"},
    "blocked values one inside the other": {**ALL, "blocked_values": ["[0-9]{4}", r"\*{4}", CARD], "summary": "info"},
    "values that would be blocked are allowed": {
        **ALL,
        "blocked_values": [MAIL, "secret"],
        "allowed_values": [r".+@example\.com", "^$"],
        "summary": "debug",
    },
    "blocked keys": {**ALL, "blocked_key_patterns": ["token", "^api.?key$"], "summary": "debug"},
    "blocked keys with allowed values": {
        **ALL,
        "blocked_key_patterns": ["token", "count"],
        "allowed_values": ["^[0-9]+$", "true"],
        "summary": "debug",
    },
    "ignored keys": {
        "allowed_keys": ["note", "user.token"],
        "ignored_keys": ["user"],
        "ignored_key_patterns": ["^safe"],
        "blocked_values": [".*"],
        "blocked_key_patterns": ["token"],
        "summary": "debug",
    },
    "all types": {**ALL, "blocked_values": ["[0-9]{4}", "true"], "redact_all_types": True, "summary": "debug"},
    "all types, blocked keys": {
        **ALL,
        "blocked_key_patterns": ["count", "token"],
        "allowed_values": ["^7$"],
        "redact_all_types": True,
        "hash_function": "sha1",
        "summary": "info",
    },
    "silent": {**ALL, "blocked_values": [CARD], "summary": "silent"},
    **{
        function: {
            **ALL,
            "blocked_values": [CARD, "secret"],
            "blocked_key_patterns": ["token"],
            "hash_function": function,
        }
        for function in ("md5", "sha1", "sha3")
    },
    **{
        function: {
            **ALL,
            "blocked_values": [MAIL],
            "blocked_key_patterns": ["token"],
            "hash_function": function,
            "hmac_key": "k" * 64,
        }
        for function in ("hmac-sha256", "hmac-sha512")
    },
}
_KEYS = (
    "user",
    "user.token",
    "token",
    "api_key",
    "apikey",
    "note",
    "count",
    "safe.one",
    "unsafe",
    "db.statement",
    "nöte",
    "",
    "redaction.masked.keys",
    "redaction.masked.count",
    "redaction.redacted.count",
)
_PARTS = (
    "4111111111111111",
    "41111111111111112",
    "ann@example.com",
    "bob@other.com",
    "secret",
    "Secret",
    "1234",
    "12345678",
    "****",
    "true",
    "7",
    "",
    " ",
    ", ",
    "é",
    "\U0001f600",
    "x",
)
SPANS = 300


def test_what_is_left_of_attributes_is_what_the_collector_leaves(redacted_by_collector: dict[str, list[Span]]) -> None:
    for name, block in BLOCKS.items():
        theirs = redacted_by_collector[name]
        assert len(theirs) == SPANS
        for one, theirs_of_it in zip(SENT, theirs, strict=True):
            assert _attributes(_by_us(one, block)) == _attributes(theirs_of_it), (name, one)


class Difference(NamedTuple):
    """One value, and what each of the two makes of it."""

    block: Block
    value: AnyValue
    collector: AnyValue
    ours: AnyValue


def _text(text: str) -> AnyValue:
    return AnyValue(string_value=text)


_LIST = ArrayValue(values=[_text("secret"), AnyValue(int_value=1)])
_SECRET: Block = {**ALL, "blocked_values": ["secret"]}
DIFFERENCES = {
    "texts in lists": Difference(
        _SECRET,
        AnyValue(array_value=_LIST),
        AnyValue(array_value=_LIST),
        AnyValue(array_value=ArrayValue(values=[_text("****"), AnyValue(int_value=1)])),
    ),
    "texts in mappings": Difference(
        _SECRET,
        AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="a", value=_text("a secret"))])),
        AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="a", value=_text("a secret"))])),
        AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="a", value=_text("a ****"))])),
    ),
    "bytes": Difference(_SECRET, AnyValue(bytes_value=b"secret"), AnyValue(bytes_value=b"secret"), _text("****")),
    "lines of a blocked key": Difference(
        {**ALL, "blocked_key_patterns": ["value"]}, _text("two\nlines"), _text("****\n****"), _text("****")
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_known_differences_leave_less_than_the_collector(name: str, tmp_path: Path) -> None:
    known = DIFFERENCES[name]
    one = Span(
        trace_id=bytes(15) + b"\1", span_id=bytes(7) + b"\1", attributes=[KeyValue(key="value", value=known.value)]
    )
    (theirs,) = _by_collector({"known": known.block}, [one], tmp_path)["known"]
    assert _attributes(theirs) == {"value": known.collector}
    assert _attributes(_by_us(one, known.block)) == {"value": known.ours}


def _spans(random: Random) -> Iterator[Span]:
    for number in range(1, SPANS + 1):
        found = Span(trace_id=number.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name="n")
        for key in random.sample(_KEYS, random.randrange(6)):
            found.attributes.add(key=key).value.CopyFrom(_value(key, random))
        yield found


def _value(key: str, random: Random) -> AnyValue:
    if key.endswith(".count"):
        return AnyValue(int_value=random.randrange(5))
    chance = random.random()
    if chance < 0.7 or key.endswith(".keys"):
        return _text("".join(random.choices(_PARTS, k=random.randrange(4))))
    if chance < 0.85:
        return AnyValue(int_value=random.choice((0, 7, 1234, -12345678, 4111111111111111)))
    if chance < 0.92:
        return AnyValue(bool_value=random.random() < 0.5)
    return AnyValue(double_value=random.choice((1.5, 1234.0, 0.0, -1234.25, 1e21, 1234e-10)))


SENT = list(_spans(Random(1)))


def _by_us(one: Span, block: Block) -> Span:
    # What the Collector has no word for is off.
    settings = RedactionSettings.model_validate({**block, "milvus_messages": False})
    return Span.FromString(Redaction("redaction", settings, Telemetry()).redacted(trace_of(one)).span(0))


def _attributes(one: Span) -> Attributes:
    """By their keys: the Collector moves the last one into the place of one that it removes."""
    found = {pair.key: pair.value for pair in one.attributes}
    assert len(found) == len(one.attributes)
    return found


@pytest.fixture(scope="module")
def redacted_by_collector(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Span]]:
    return _by_collector(BLOCKS, SENT, tmp_path_factory.mktemp("redaction"))


def _by_collector(blocks: dict[str, Block], spans: Sequence[Span], folder: Path) -> dict[str, list[Span]]:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.extend(spans)
    files = {name: folder / f"{place}.binpb" for place, name in enumerate(blocks)}
    with TemporaryDirectory() as short:  # pytest's own folders have longer names than a socket may have
        endpoint = f"{short}/otlp.sock"
        configuration = {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": endpoint, "transport": "unix"}}}},
            "processors": {f"redaction/{files[name].stem}": block for name, block in blocks.items()},
            "exporters": {f"file/{file.stem}": {"path": str(file), "format": "proto"} for file in files.values()},
            "service": {
                "pipelines": {
                    f"traces/{file.stem}": {
                        "receivers": ["otlp"],
                        "processors": [f"redaction/{file.stem}"],
                        "exporters": [f"file/{file.stem}"],
                    }
                    for file in files.values()
                },
            },
        }
        send([request.SerializeToString()], endpoint, collector(json.dumps(configuration), folder))
    return {name: _spans_in(file) for name, file in files.items()}


def _spans_in(file: Path) -> list[Span]:
    content = file.read_bytes()
    (size,) = struct.unpack_from(">I", content)
    assert len(content) == size + 4
    request = ExportTraceServiceRequest.FromString(content[4:])
    return list(request.resource_spans[0].scope_spans[0].spans)
