"""A file of Milvus' access log: which lines belong together, and that a captured one is read as it was."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.enrichment.access_log.line import LINE_START, parse, split
from milvus_otel_processor.page.capture import lines
from milvus_otel_processor.replay.access_log import read_access_log
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from tests.support.recordings import DATA

if TYPE_CHECKING:
    from pathlib import Path


def line(second: int, message: str = "", *, collection: str = "products") -> str:
    head = f"2026/11/26 06:09:{second:02}.040 +00:00\tSearch\ttcp-127.0.0.1:1\t5ms\t{second:032x}"
    texts = f"\troot\tPython-3.0.2\tdefault\tUnknown\t{collection}\t5ms"
    return f"{head}{texts}\t{'Failed' if message else 'Successful'}\t{100 if message else 0}\tmsg={message}"


def bodies(file: Path) -> list[list[str]]:
    """The lines of each message that a file is read as."""
    return [
        [
            record.body.string_value
            for resource in ExportLogsServiceRequest.FromString(message.request).resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]
        for message in read_access_log(file)
    ]


FAILED = line(2, "cannot search:\n  at shard 1\n\n  at shard 2: no such field\rof the client")
MILVUS_OWN = "[2026/11/26 06:09:03.000 +00:00] [root] [Upsert]"


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_an_error_of_several_lines_is_one_line_of_the_log(tmp_path: Path, *, compressed: bool) -> None:
    file = tmp_path / "access.log"
    content = "\n".join(
        ["no line of ours", "neither", line(1), FAILED, MILVUS_OWN, line(4, collection="a\nb"), ""]
    ).encode()
    file.write_bytes(gzip.compress(content) if compressed else content)
    assert bodies(file) == [
        ["no line of ours"],
        ["neither"],
        [line(1)],
        [FAILED],
        [MILVUS_OWN],
        [line(4, collection="a\nb")],
    ]
    places = [message.place for message in read_access_log(file)]
    assert places == [f"{file}:{number}" for number in (1, 2, 3, 4, 8, 9)]
    ends = [message.latest_end // 10**9 % 60 for message in read_access_log(file)]
    assert ends == [0, 0, 1, 2, 0, 4]


def test_what_follows_a_message_that_is_whole_and_empty_is_no_part_of_it(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_text(f"{line(1)}\nof another format\n{line(2)}\n")
    (first, _) = bodies(file)
    assert split(first[0]) == [line(1), "of another format"]  # as the processor reads it
    assert [message.latest_end // 10**9 % 60 for message in read_access_log(file)] == [1, 2]


def test_a_captured_log_is_read_as_it_came(tmp_path: Path) -> None:
    came = [line(1), FAILED, MILVUS_OWN, line(4, collection="a\nb"), line(5)]
    records = [LogRecord(body=AnyValue(string_value=body)) for body in came]
    records.insert(2, LogRecord(body=AnyValue(kvlist_value=KeyValueList())))  # no text, no line
    logs = ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])])
    file = tmp_path / "access.log"
    file.write_bytes(b"".join(lines(logs.SerializeToString())))
    assert [body for together in bodies(file) for body in together] == came
    assert parse(FAILED) is not None


def test_a_line_is_as_long_as_the_collector_lets_it_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("milvus_otel_processor.replay.access_log._LONGEST", 200)
    file = tmp_path / "access.log"
    long = line(1, "x" * 500)
    file.write_text(f"{long}\n{line(2)}\n")
    found = [body for together in bodies(file) for body in together]
    assert ("".join(found[:-1]), found[-1]) == (long, line(2))
    assert max(map(len, found)) <= 200


def test_a_line_begins_as_the_collector_of_the_stack_sees_it() -> None:
    config = (DATA.parents[1] / "collector" / "config.yaml").read_text()
    found = re.findall(r"line_start_pattern: '\^(.*)'", config)
    assert set(found) == {LINE_START.pattern}
