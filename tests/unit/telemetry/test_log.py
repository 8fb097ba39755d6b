from __future__ import annotations

import logging

import pytest
from milvus_otel_processor.telemetry.log import KeyValueFormatter


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
