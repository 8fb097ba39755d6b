"""The same log records through the Collector's `redaction` processor and through ours: what is left of them."""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import grpc
import pytest
from milvus_otel_processor.redaction.log_records import LogRedaction
from milvus_otel_processor.redaction.settings import RedactionSettings
from milvus_otel_processor.spans.groups import Group
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from tests.differential.test_redaction import _KEYS, _PARTS, BLOCKS, Block, _value
from tests.peers.collector import collector
from tests.support.log_records import LOGS_METHOD, logs_request, records_in

RECORDS = 300
SILENT = {name: {**block, "summary": "silent"} for name, block in BLOCKS.items()}
"""What the Collector says of bodies, `redaction.body.masked.count` and the like, is not written here."""


def _records(random: Random) -> Iterator[LogRecord]:
    for number in range(1, RECORDS + 1):
        found = LogRecord(time_unix_nano=number, severity_text="WARN")
        for key in random.sample(_KEYS, random.randrange(4)):
            found.attributes.add(key=key).value.CopyFrom(_value(key, random))
        if random.random() < 0.95:
            found.body.CopyFrom(_body(random, 3))
        yield found


def _body(random: Random, depth: int) -> AnyValue:
    """A value of any kind but bytes, of which the Collector looks at the base64."""
    chance = random.random()
    if depth and chance < 0.3:
        keys = random.sample(_KEYS, random.randrange(4))
        return AnyValue(
            kvlist_value=KeyValueList(values=[KeyValue(key=key, value=_body(random, depth - 1)) for key in keys])
        )
    if depth and chance < 0.4:
        return AnyValue(array_value=ArrayValue(values=[_body(random, depth - 1) for _ in range(random.randrange(4))]))
    if chance < 0.45:
        return AnyValue()
    if chance < 0.75:
        return AnyValue(string_value="".join(random.choices(_PARTS, k=random.randrange(4))))
    return _value("note", random)


SENT = list(_records(Random(2)))


@pytest.fixture(scope="module")
def redacted_by_collector(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[LogRecord]]:
    folder = tmp_path_factory.mktemp("redaction")
    files = {name: folder / f"{place}.binpb" for place, name in enumerate(SILENT)}
    with TemporaryDirectory() as short:  # pytest's own folders have longer names than a socket may have
        endpoint = f"{short}/otlp.sock"
        configuration = {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": endpoint, "transport": "unix"}}}},
            "processors": {f"redaction/{files[name].stem}": block for name, block in SILENT.items()},
            "exporters": {f"file/{file.stem}": {"path": str(file), "format": "proto"} for file in files.values()},
            "service": {
                "pipelines": {
                    f"logs/{file.stem}": {
                        "receivers": ["otlp"],
                        "processors": [f"redaction/{file.stem}"],
                        "exporters": [f"file/{file.stem}"],
                    }
                    for file in files.values()
                }
            },
        }
        with (
            collector(json.dumps(configuration), folder),
            grpc.insecure_channel(f"unix:{endpoint}") as channel,
        ):
            channel.unary_unary(LOGS_METHOD)(logs_request(*SENT), timeout=60, wait_for_ready=True)
    return {name: _in(file) for name, file in files.items()}


def _in(file: Path) -> list[LogRecord]:
    content = file.read_bytes()
    (size,) = struct.unpack_from(">I", content)
    assert len(content) == size + 4
    return records_in([content[4:]])


def _by_us(one: LogRecord, block: Block) -> LogRecord:
    settings = RedactionSettings.model_validate({**block, "milvus_messages": False})
    _, encoded = LogRedaction(settings, Counter()).redacted((Group(b"", b""), one.SerializeToString()))
    return LogRecord.FromString(encoded)


def _comparable(one: LogRecord) -> object:
    """What a record says, with mappings by their keys: the Collector moves the last entry into the place of one that it removes."""
    attributes = AnyValue(kvlist_value=KeyValueList(values=one.attributes))
    return (_plain(attributes), _plain(one.body), one.severity_text, one.time_unix_nano)


def _plain(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return {pair.key: _plain(pair.value) for pair in value.kvlist_value.values}
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    return (kind, getattr(value, kind) if kind is not None else None)


def test_what_is_left_of_records_is_what_the_collector_leaves(
    redacted_by_collector: dict[str, list[LogRecord]],
) -> None:
    for name, block in SILENT.items():
        theirs = redacted_by_collector[name]
        assert len(theirs) == RECORDS
        for one, theirs_of_it in zip(SENT, theirs, strict=True):
            assert _comparable(_by_us(one, block)) == _comparable(theirs_of_it), (name, one)
