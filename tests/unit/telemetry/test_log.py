from __future__ import annotations

import json
import logging
from threading import Event

import pytest
from milvus_otel_processor.telemetry.log import JsonFormatter, KeyValueFormatter, UnblockingHandler


def line(message: str, level: int = logging.INFO, **values: object) -> str:
    record = logging.makeLogRecord({"msg": message, "levelno": level, "created": 0.25, "msecs": 250.0, **values})
    return KeyValueFormatter().format(record)


def test_a_line_has_time_level_message_and_values() -> None:
    assert line("started", port=4317) == "1970-01-01T00:00:00.250Z info  started port=4317"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a b", '"a b"'),
        ("", '""'),
        ('say "hi"', '"say \\"hi\\""'),
        ("a=b", '"a=b"'),
        ("one\ntwo", '"one\\ntwo"'),
        (["a", "b"], "a,b"),
        (None, "None"),
        ("größer", "größer"),
    ],
)
def test_a_value_can_be_read_back(value: object, written: str) -> None:
    assert line("x", key=value).endswith(f" x key={written}")


@pytest.mark.parametrize(("level", "name"), [(10, "debug"), (20, "info "), (30, "warn "), (40, "error")])
def test_levels_have_the_collectors_names(level: int, name: str) -> None:
    assert f"Z {name} x" in line("x", level)


def test_an_exception_is_one_line() -> None:
    error = ValueError("first\nsecond")
    text = line("failed", exc_info=(type(error), error, None))
    assert text.endswith('failed error="ValueError: first\\nsecond"')


def test_control_characters_of_others_texts_are_escaped() -> None:
    hostile = "\x1b[2Jgone\x07 \x9b31m \u202eevil"
    for text in (line(hostile), line("x", key=hostile)):
        assert text.isprintable()
        assert "\\x1b[2Jgone" in text or "\\u001b[2Jgone" in text
        assert "\\u202eevil" in text


def test_a_long_text_is_cut_and_says_so() -> None:
    for text in (line("x" * 100_000), line("x", key="y" * 100_000), line("%s", args=("z" * 100_000,))):
        assert len(text) < 5000
        assert "95904 characters more" in text


def test_json_lines_have_the_collectors_names_and_the_values() -> None:
    record = logging.makeLogRecord(
        {"msg": "a\nb", "levelno": 30, "created": 0.25, "msecs": 250.0, "rules": ["a", "b"], "spans": 3}
    )
    text = JsonFormatter().format(record)
    assert "\n" not in text
    assert json.loads(text) == {
        "level": "warn", "ts": "1970-01-01T00:00:00.250Z", "msg": "a\nb", "rules": ["a", "b"], "spans": 3,
    }  # fmt: skip


def test_lines_that_nobody_reads_are_dropped_and_counted_and_who_logs_goes_on() -> None:
    reads, wrote = Event(), []

    def write(lines: bytes) -> None:
        reads.wait(30)
        wrote.append(lines)

    handler = UnblockingHandler(write, held_bytes=1000)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for number in range(1000):
        handler.emit(logging.makeLogRecord({"msg": f"line {number:03}"}))
    handler.flush(0.01)  # gives up
    reads.set()
    handler.flush(30)
    handler.emit(logging.makeLogRecord({"msg": "the last"}))
    handler.flush(30)
    lines = b"".join(wrote).decode().splitlines()
    kept = [text for text in lines if text.startswith("line ")]
    assert 1 <= len(kept) <= 111
    dropped = [int(text.rpartition("=")[2]) for text in lines if "lines were dropped, nobody read them" in text]
    assert sum(dropped) == 1000 - len(kept)
    assert "the last" in lines
