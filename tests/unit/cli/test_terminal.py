"""What others have written, shown in a terminal: it does nothing there, and makes no line of its own."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from milvus_otel_processor.cli import main
from milvus_otel_processor.cli.options import console
from milvus_otel_processor.terminal import Terminal
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from rich.table import Table

from tests.support.spans import encoded, span, trace_id

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
decision_wait: 1s
policies:
  - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
  - {name: names, type: span_name, span_name: {names: [other]}}
"""


def printed(*what: object, width: int = 60) -> str:
    out = io.StringIO()
    terminal = Terminal(file=out, force_terminal=True, highlight=False, width=width, color_system="standard")
    for one in what:
        terminal.print(one, style="red")
    return out.getvalue()


def test_an_escape_is_shown_and_not_obeyed_in_a_line_and_in_a_table() -> None:
    table = Table("name\x1b[2J")
    table.add_row("one\x07\x9btwo")
    said = printed("before\x1b]0;title\x07after", table)
    plain = re.sub("\x1b\\[(0|1;31|31)m", "", said)  # of the styles above
    assert plain.replace("\n", "").isprintable()
    assert "before\\x1b]0;title" in plain
    assert "name\\x1" in plain
    assert "one\\x9b" in plain


def test_lines_and_styles_of_the_program_itself_stay() -> None:
    assert printed("[bold]one[/bold]\ntwo") == "\x1b[1;31mone\x1b[0m\n\x1b[31mtwo\x1b[0m\n"


@pytest.mark.parametrize(
    ("asked", "width"), [(None, 200), ("", 200), ("0", 200), ("wide", 200), ("40", 40), ("300", 300)]
)
def test_a_pipe_is_as_wide_as_columns_says_or_has_room_for_all(
    asked: str | None, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if asked is not None:
        monkeypatch.setenv("COLUMNS", asked)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert console().width == width


def test_columns_of_0_are_none_that_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    out = io.StringIO()
    Terminal(file=out, force_terminal=True, color_system=None).print("a line that is shown")
    assert out.getvalue() == "a line that is shown\n"


def test_a_span_cannot_make_lines_of_an_explanation(tmp_path: Path) -> None:
    evil = span(1, 1, name="evil\x1b[2J\nnames (span_name) sampled: a span has the name")
    evil.status.code = Status.STATUS_CODE_ERROR
    evil.end_time_unix_nano = evil.start_time_unix_nano + 1000
    request = encoded(evil)
    recording, rules = tmp_path / "traces.binpb", tmp_path / "rules.yaml"
    recording.write_bytes(len(request).to_bytes(4, "big") + request)
    rules.write_text(RULES)
    said = CliRunner().invoke(main, ["explain", trace_id(1).hex(), str(recording), "--config", str(rules)]).stdout
    assert "\x1b" not in said
    assert [line for line in said.splitlines() if line.startswith("names")] == [
        "names (span_name) not sampled: no span matches: evil\\x1b[2J\\nnames (span_name) sampled: a span has the name"
    ]
