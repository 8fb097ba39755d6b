"""What commands say on stderr: nothing in it can move the terminal's cursor, whoever wrote it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from click.testing import CliRunner
from milvus_otel_processor import cli
from milvus_otel_processor.cli import main
from milvus_otel_processor.cli.complaints import complain, fail

from tests.support.other_server import answering

FOLDER = Path(cli.__file__).parent
EVIL = b"\x1b[31mRED \x1b[2J"


@pytest.mark.parametrize(
    "arguments",
    [
        ["top", "--once", "--from"],
        ["explain", "0" * 31 + "1", "--from"],
        ["capture", "--out", "traces.binpb", "--from"],
        ["health", "--endpoint"],
        ["doctor", "--from"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_no_command_obeys_what_answers(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with answering(EVIL) as endpoint:
        result = CliRunner().invoke(main, [*arguments, f"http://{endpoint}"])
    assert result.exit_code == 1
    assert "its answer begins with “\\x1b[31mRED \\x1b[2J”" in result.output
    assert "\x1b" not in result.output


def test_lines_stay_lines_and_each_of_them_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    complain("one\ttwo\x1b[2J\n" + "x" * 100_000)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "one     two\\x1b[2J"
    assert second.endswith("xxx…")
    assert len(second) == 4_000


def test_a_command_that_fails_ends_with_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        fail(ValueError("no such thing"), 3)
    assert ended.value.code == 3
    assert capsys.readouterr().err == "no such thing\n"


def test_all_commands_say_so_in_that_way() -> None:
    others = [path for path in FOLDER.glob("*.py") if path.name != "complaints.py"]
    assert len(others) > 15
    for path in others:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                assert "err" not in {one.arg for one in node.keywords}, f"{path.name}:{node.lineno}"
