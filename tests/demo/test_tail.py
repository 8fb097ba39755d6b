"""The access log is followed as the Collector follows it, whatever becomes of the file and whatever is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from milvus_otel_processor.demo import tail as tail_module
from milvus_otel_processor.demo.tail import FORCE_FLUSH_PERIOD_SECONDS, LINE_START_PATTERN, MAX_LOG_SIZE_BYTES, Tail
from milvus_otel_processor.enrichment.access_log.line import parse
from milvus_otel_processor.settings import parse_duration
from ruamel.yaml import YAML

from tests.peers.collector import collector
from tests.peers.waiting import wait_until
from tests.support import enrichment as traces
from tests.support.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

COLLECTOR = Path(__file__).parents[2] / "collector" / "config.yaml"


def line(method: str = "Search", message: str = "", collection: str = "products") -> str:
    """A line as it is in the file; with a message it is that of a failed request."""
    status, code = ("Failed", "100") if message else ("OK", "0")
    return traces.line(method, collection, status=status, code=code, message=message) + "\n"


FIRST, SECOND, THIRD = map(line, ("Search", "Query", "Insert"))
HOSTILE = {
    "newlines": line(message="not found\n\n[collection=pro\nd\tucts]", collection="pro\nducts\n\n"),
    "half of a start": line(message="x\n2026/11/22 17:56:31.8 +00:00\tSearch"),
    "a start that is not at one": line(message="x 2026/11/22 17:56:31.866 +00:00"),
    "a start and no more": line(message="x\n2026/11/22 17:56:31.866 +00:00\tSearch\t"),
    "what no terminal should see": line(message="\x00\x1b[31m\x0b\x85\u2028 {}[]'\"\\n"),
    "carriage returns": line(message="x\r\ny\rz\r"),
}


class Log:
    """A file that is written to, and what follows it on a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "access.log"
        self.clock = Clock()
        self.tail = Tail(self.path, self.clock)

    def write(self, *texts: str | bytes) -> None:
        with self.path.open("ab") as file:
            file.writelines(text if isinstance(text, bytes) else text.encode() for text in texts)

    def later(self) -> list[str]:
        """What has come when nothing more was written for the flush period."""
        found = self.tail.records()
        self.clock.advance(FORCE_FLUSH_PERIOD_SECONDS)
        return found + self.tail.records()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path)
    yield log
    log.tail.close()


def test_a_file_that_is_not_there_yet_is_read_from_its_beginning_once_it_is(log: Log) -> None:
    assert log.later() == []
    log.write(FIRST, SECOND)
    assert log.tail.records() == [FIRST.strip()]


def test_the_last_record_waits_for_the_next_or_for_the_flush_period(log: Log) -> None:
    log.write(FIRST)
    assert log.tail.records() == []
    log.write(SECOND)
    assert log.tail.records() == [FIRST.strip()]
    log.clock.advance(FORCE_FLUSH_PERIOD_SECONDS * 0.9)
    assert log.tail.records() == []
    log.clock.advance(FORCE_FLUSH_PERIOD_SECONDS * 0.2)
    assert log.tail.records() == [SECOND.strip()]
    assert log.later() == []


def test_a_line_that_comes_in_pieces_is_one_record(log: Log) -> None:
    content = (FIRST + HOSTILE["newlines"] + SECOND).encode()
    found = []
    for number in range(len(content)):
        log.write(content[number : number + 1])
        found += log.tail.records()
        log.clock.advance(FORCE_FLUSH_PERIOD_SECONDS * 0.9)
    assert found + log.tail.rest() == [FIRST.strip(), HOSTILE["newlines"].strip(), SECOND.strip()]


def test_at_the_end_the_last_record_need_not_wait(log: Log) -> None:
    log.write(FIRST)
    assert log.tail.records() == []
    assert log.tail.rest() == [FIRST.strip()]
    assert log.tail.rest() == []


def test_a_file_that_was_renamed_is_read_to_its_end_before_the_next(log: Log) -> None:
    log.write(FIRST)
    log.tail.records()
    log.write(SECOND)
    log.path.rename(log.path.with_name("access.2026-11-22T18-48-06.333.log"))
    assert log.tail.records() == [FIRST.strip()]
    log.write(THIRD)
    assert log.later() == [SECOND.strip(), THIRD.strip()]


def test_while_the_next_file_is_not_there_what_is_written_to_the_renamed_one_is_read(log: Log) -> None:
    log.write(FIRST)
    log.tail.records()
    renamed = log.path.rename(log.path.with_name("access.1.log"))
    with renamed.open("a") as file:
        file.write(SECOND)
    assert log.later() == [FIRST.strip(), SECOND.strip()]
    assert log.later() == []


def test_a_truncated_file_is_read_from_its_beginning(log: Log) -> None:
    log.write(FIRST, SECOND)
    assert log.later() == [FIRST.strip(), SECOND.strip()]
    log.path.write_bytes(b"")
    assert log.later() == []
    log.write(THIRD)
    assert log.later() == [THIRD.strip()]


def test_what_was_held_back_of_a_truncated_file_is_not_lost(log: Log) -> None:
    log.write(FIRST, SECOND)
    assert log.tail.records() == [FIRST.strip()]
    log.path.write_text(THIRD)
    assert log.later() == [SECOND.strip(), THIRD.strip()]


def test_a_file_that_cannot_be_read_now_is_read_later(log: Log) -> None:
    log.path.mkdir()
    assert log.later() == []
    log.path.rmdir()
    log.write(FIRST)
    assert log.later() == [FIRST.strip()]


def test_very_much_at_once_is_read_piece_by_piece(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "_READ_BYTES", 100)
    log.write(*[FIRST, SECOND] * 20)
    pieces = []
    while records := log.tail.records() or log.later():
        pieces.append(records)
    assert len(pieces) > 10
    assert [record for records in pieces for record in records] == [FIRST.strip(), SECOND.strip()] * 20


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_line_takes_no_other_with_it(log: Log, what: str) -> None:
    log.write(FIRST, HOSTILE[what], SECOND)
    found = [parsed.facts.operation for record in log.later() if (parsed := parse(record)) is not None]
    assert (found[0], found[-1]) == ("Search", "Query")
    assert len(found) == 3


def test_bytes_that_are_no_text_stay_within_their_record(log: Log) -> None:
    log.write(FIRST, b"\xff\xfe\n", SECOND)
    assert log.later() == [FIRST.strip() + "\n\ufffd\ufffd", SECOND.strip()]


def test_the_settings_are_those_of_the_collector() -> None:
    settings = receiver()
    assert settings["multiline"] == {"line_start_pattern": LINE_START_PATTERN.decode()}
    assert parse_duration(settings["force_flush_period"]) == FORCE_FLUSH_PERIOD_SECONDS
    assert settings["max_log_size"] == f"{MAX_LOG_SIZE_BYTES >> 10}KiB"


def test_records_are_those_that_the_collector_makes(log: Log, tmp_path: Path) -> None:
    long = line(message="x" * (MAX_LOG_SIZE_BYTES + 1000))
    log.write(b"what a start cut off\n", FIRST, *HOSTILE.values(), long, b"\n\n \xff\xfe", SECOND, "  \n\n", THIRD)
    expected = []
    while records := log.later():
        expected += records
    exported = tmp_path / "exported.json"
    configuration = {
        "receivers": {"file_log": {**receiver(), "include": [str(log.path)]}},
        "exporters": {"file": {"path": str(exported), "flush_interval": "100ms"}},
        "service": {"pipelines": {"logs": {"receivers": ["file_log"], "exporters": ["file"]}}},
    }
    with collector(json.dumps(configuration), tmp_path):
        wait_until(lambda: len(bodies(exported)) >= len(expected), "the Collector has exported as many records")
    assert bodies(exported) == expected


def receiver() -> dict[str, Any]:
    settings: dict[str, Any] = YAML(typ="safe").load(COLLECTOR)["receivers"]["file_log"]
    return {key: value for key, value in settings.items() if key != "storage"}


def bodies(exported: Path) -> list[str]:
    if not exported.exists():
        return []
    return [
        record["body"].get("stringValue", "")
        for request in map(json.loads, exported.read_text(encoding="utf-8").split("\n")[:-1])
        for of_resource in request["resourceLogs"]
        for of_scope in of_resource["scopeLogs"]
        for record in of_scope["logRecords"]
    ]
