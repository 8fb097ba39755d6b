"""`milvus-otel logs`: the records of one trace, out of files in which a Collector keeps those of all."""

from __future__ import annotations

import errno
import gzip
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from google.protobuf.json_format import MessageToDict
from milvus_otel_processor.cli import main
from milvus_otel_processor.log_files.reading import LogFileError, files_in, records_of
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.support.log_records import logs_request, record
from tests.support.spans import trace_id

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

TRACE = trace_id(7).hex()
SECOND = 10**9
NOON = 1_795_694_400 * SECOND
"""2026-11-26T12:00:00Z."""


def line(*records: LogRecord, resource: dict[str, object] | None = None) -> bytes:
    """What the file exporter writes of a request: OTLP's JSON, with hexadecimal ids."""
    request = ExportLogsServiceRequest.FromString(logs_request(*records, resource=resource))
    document: dict[str, Any] = MessageToDict(request, use_integers_for_enums=True)
    for of_resource, made in zip(document["resourceLogs"], request.resource_logs, strict=True):
        for of_scope, scope in zip(of_resource["scopeLogs"], made.scope_logs, strict=True):
            for one, source in zip(of_scope["logRecords"], scope.log_records, strict=True):
                one["traceId"], one["spanId"] = source.trace_id.hex(), source.span_id.hex()
    return json.dumps(document).encode() + b"\n"


def at(second: float, body: str, attributes: dict[str, object] | None = None, *, trace: int | None = 7) -> LogRecord:
    made = record(trace, body, attributes)
    made.time_unix_nano = NOON + int(second * SECOND)
    return made


def logs(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["logs", *map(str, arguments)], catch_exceptions=False)


def test_the_records_of_a_trace_come_in_the_order_of_their_times_from_all_files_of_a_folder(tmp_path: Path) -> None:
    milvus: dict[str, object] = {"service.name": "milvus", "log.source": "access_log"}
    failed = at(0.25, "2026/11/26\tSearch\tFailed", {"db.collection.name": "products"})
    failed.severity_text = "Failed"
    (tmp_path / "milvus.jsonl").write_bytes(
        line(at(9, "of another", trace=8), failed, at(8, "of none", trace=None), resource=milvus)
    )
    (tmp_path / "logs-2026-11-26T11-00-00.000.jsonl").write_bytes(line(at(0, "it begins")))
    (tmp_path / "logs.jsonl").write_bytes(line(at(1.5, "it ends")) + line(at(3, "of another", trace=8)))
    (tmp_path / "notes.txt").write_text(TRACE)
    said = logs(TRACE.upper(), tmp_path)
    assert said.stdout.splitlines() == [
        "2026-11-26T12:00:00.000Z WARN   shop  it begins",
        "2026-11-26T12:00:00.250Z Failed milvus access_log  2026/11/26  Search  Failed",
        "    db.collection.name=products",
        "2026-11-26T12:00:01.500Z WARN   shop  it ends",
    ]
    assert (said.exit_code, said.stderr) == (0, "")


def test_as_json_a_record_has_values_of_their_types(tmp_path: Path) -> None:
    file = tmp_path / "logs.jsonl"
    file.write_bytes(line(at(0, "sold out", {"left": 2**60, "share": 0.5, "is_last": True, "sizes": [1, 2]})))
    [found] = json.loads(logs(TRACE, file, "--format", "json").stdout)["records"]
    assert found == {
        "time_unix_nano": str(NOON),
        "severity": "WARN",
        "span_id": "0000000000000001",
        "body": "sold out",
        "attributes": {"left": 2**60, "share": 0.5, "is_last": True, "sizes": [1, 2]},
        "resource": {"service.name": "shop"},
    }


def test_texts_of_others_move_no_cursor_and_make_no_record_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "logs.jsonl").write_bytes(line(at(0, "one\x1b[2J\n2026-11-26 two\r\n\n", {"a\nb": "c\n d"})))
    assert logs(TRACE, tmp_path).stdout.splitlines() == [
        "2026-11-26T12:00:00.000Z WARN   shop  one\\x1b[2J",
        "    2026-11-26 two",
        '    a\\nb="c\\n d"',
    ]


def test_a_record_without_time_severity_body_and_source_is_shown_with_what_it_has(tmp_path: Path) -> None:
    bare = record(7)
    bare.ClearField("time_unix_nano")
    bare.ClearField("severity_number")
    bare.ClearField("body")
    late = at(0, "later")
    late.ClearField("time_unix_nano")
    late.observed_time_unix_nano = NOON
    (tmp_path / "logs.jsonl").write_bytes(line(late, bare, resource={}))
    assert [one.rstrip() for one in logs(TRACE, tmp_path).stdout.splitlines()] == [
        "------------------------ -      -",
        "2026-11-26T12:00:00.000Z WARN   -  later",
    ]


def test_a_last_line_without_its_end_is_read_if_it_is_whole_and_ids_may_have_capital_letters(tmp_path: Path) -> None:
    written = line(at(0, "whole", trace=0xAB)).rstrip()
    (tmp_path / "logs.jsonl").write_bytes(
        written.replace(trace_id(0xAB).hex().encode(), trace_id(0xAB).hex().upper().encode())
    )
    assert "whole" in logs(trace_id(0xAB).hex(), tmp_path).stdout


def test_empty_values_and_half_a_character_are_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "logs.jsonl"
    one: dict[str, Any] = {"traceId": TRACE, "body": None, "attributes": [{"key": "a"}, {"value": None}]}
    half: dict[str, Any] = {"traceId": TRACE, "body": {"stringValue": "half \ud83d \x9b2J"}}
    file.write_text(json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [one, half]}]}]}) + "\n")
    assert logs(TRACE, file).stdout.splitlines()[2:] == [
        "------------------------ -      -  half \\ud83d \\x9b2J",
    ]
    said = logs(TRACE, file, "--format", "json").stdout
    assert '"half \\ud83d \\u009b2J"' in said
    assert json.loads(said)["records"][1]["body"] == half["body"]["stringValue"]


def test_a_compressed_file_is_read_and_a_last_line_that_is_being_written_is_not(tmp_path: Path) -> None:
    (tmp_path / "logs.jsonl.gz").write_bytes(gzip.compress(line(at(0, "old"))))
    (tmp_path / "logs.jsonl").write_bytes(line(at(1, "new")) + line(at(2, "half"))[:-9])
    assert [one.rpartition("  ")[2] for one in logs(TRACE, tmp_path).stdout.splitlines()] == ["old", "new"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "no log record of the trace {trace} in {file}"),
        (line(at(0, "of another", trace=8)), "no log record of the trace {trace} in {file}"),
        (b"\x00\x00\x00\x02ab", "{file}: message 1 at byte 0: not JSON; {expected}"),
        (b"no JSON", "{file}: message 1 at byte 0 would have 1852776522 bytes: {expected}"),
        (b'{}\n{"b": TRACE}\n', "{file}:2: no request of logs in OTLP's JSON: Expecting {nine}; {expected}"),
        (b'{"resourceLogs": "TRACE"}\n', "{file}:1: no request of logs in OTLP's JSON: {no_get}; {expected}"),
    ],
    ids=["empty", "of another trace", "not JSON", "text", "broken line", "of another shape"],
)
def test_what_has_no_such_record_and_what_is_no_file_of_logs_is_told(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    file = tmp_path / "logs.jsonl"
    file.write_bytes(content.replace(b"TRACE", TRACE.encode()))
    said = logs(TRACE, file)
    known = {
        "file": file,
        "trace": TRACE,
        "expected": "expected what the Collector's file exporter writes with format json",
        "nine": "',' delimiter: line 1 column 8 (char 7)",
        "no_get": "'str' object has no attribute 'get'",
    }
    assert (said.exit_code, said.stdout, said.stderr) == (1, "", expected.format(**known) + "\n")


def test_wrong_arguments_are_told(tmp_path: Path) -> None:
    assert logs("abc", tmp_path).stderr == "'abc' is not a trace id, expected 32 hexadecimal digits\n"
    assert logs(TRACE, tmp_path).stderr == f"{tmp_path}: has no file whose name ends in .json, .jsonl, .gz, .xz, .zst\n"
    gone = tmp_path / "gone.jsonl"
    assert logs(TRACE, gone).stderr == f"{gone}: cannot be read: No such file or directory\n"
    assert logs(TRACE).exit_code == 2


def test_a_file_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    file, link = tmp_path / "logs.jsonl", tmp_path / "link.jsonl"
    file.write_bytes(line(at(0, "once")))
    link.symlink_to(file)
    for paths in ((file, tmp_path), (tmp_path, file), (file, file), (link, file)):
        assert logs(TRACE, *paths).stdout.splitlines() == ["2026-11-26T12:00:00.000Z WARN   shop  once"]


def test_a_file_that_cannot_be_looked_at_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("a" * 300)
    said = logs(TRACE, long)
    assert (said.exit_code, said.stdout) == (1, "")
    assert said.stderr == f"{long}: cannot be read: File name too long\n"
    inside = tmp_path / "locked" / "logs.jsonl"

    def refuse(path: object, *_: object, **__: object) -> object:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    for name in ("os.stat", "pathlib.Path.stat", "pathlib.Path.open"):  # for root no folder is locked
        monkeypatch.setattr(name, refuse)
    with pytest.raises(LogFileError, match=f"^{re.escape(str(inside))}: cannot be read: Permission denied$"):
        [list(records_of(TRACE, file)) for file in files_in([inside])]
