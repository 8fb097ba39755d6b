"""What is the same for all commands: examples in `--help`, completion, colours and pipes, progress."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from milvus_otel_processor.cli import SUBCOMMANDS, main
from milvus_otel_processor.cli.progress import Progress
from milvus_otel_processor.replay.recording import Message

from tests.support.recorded import FOLDER

PROGRAM = [sys.executable, "-c", "from milvus_otel_processor.cli import main; main(prog_name='milvus-otel')"]
TESTS = FOLDER.parents[2] / "compose" / "sampling.test.yaml"


@pytest.mark.parametrize("name", ["", *SUBCOMMANDS])
def test_every_command_has_examples_with_options_that_are_there(name: str) -> None:
    words = [name] if name else []
    shown = CliRunner().invoke(main, [*words, "--help"], terminal_width=200).stdout
    _, found, examples = shown.partition("Examples:\n")
    assert found
    lines = [line.strip() for line in examples.split("\n\n")[0].splitlines()]
    assert lines
    for command in re.findall(r"milvus-otel (.*?)(?:  #.*|\)\".*| > .*)?$", "\n".join(lines), re.MULTILINE):
        subcommand, *arguments = shlex.split(command)
        assert subcommand in SUBCOMMANDS, command
        found_command = main.get_command(click.Context(main), subcommand)
        assert found_command is not None
        known = {option for one in found_command.params for option in (*one.opts, *one.secondary_opts)}
        assert {word for word in arguments if word.startswith("--")} <= known | {"--help"}, command


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_the_shell(shell: str) -> None:
    script = CliRunner().invoke(main, ["completion", shell]).stdout
    assert f"_MILVUS_OTEL_COMPLETE={shell}_complete" in script


@pytest.mark.parametrize(
    ("words", "expected"), [("milvus-otel rep", "replay"), ("milvus-otel replay --ag", "--against")]
)
def test_a_shell_is_told_commands_and_options(words: str, expected: str) -> None:
    environ = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_MILVUS_OTEL_COMPLETE": "bash_complete"}
    done = subprocess.run(PROGRAM, env=os.environ | environ, capture_output=True, text=True, check=False)
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == [expected]


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)], ids=["as usual", "NO_COLOR"])
def test_colours_are_left_out_where_they_are_not_wanted(
    no_color: str | None, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    result = CliRunner(env={"NO_COLOR": no_color}).invoke(main, ["test", str(TESTS)], color=True)
    assert ("\x1b[" in result.stdout) is coloured


def test_a_pipe_gets_no_colours_and_may_be_closed() -> None:
    """As `milvus-otel replay … | head -1` does."""
    words = [*PROGRAM, "replay", str(FOLDER / "traces.binpb")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert first.startswith("1,008 traces")
    assert "Traceback" not in said
    assert "\x1b" not in first + said


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("out", "shown"), [(Terminal(), True), (io.StringIO(), False)], ids=["terminal", "pipe"])
def test_progress_begins_after_a_second_and_only_in_a_terminal(out: io.StringIO, shown: bool) -> None:
    now = [0.0]
    progress = Progress(out, lambda: now[0])
    messages = progress.watch(Message(bytes(500_000), 0, "here") for _ in range(10))
    for now[0] in (0.0, 0.9):
        next(messages)
    assert not out.getvalue()
    for now[0] in (1.1, 1.2):
        next(messages)
    assert out.getvalue() == ("\r\x1b[K3 requests read, 2 MB …" if shown else "")
    progress.end()
    assert out.getvalue().endswith("\r\x1b[K" if shown else "")
