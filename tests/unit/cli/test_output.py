"""How commands end where standard output cannot be written, where nobody reads it any more, and on Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from milvus_otel_processor import cli
from milvus_otel_processor.cli import main

from tests.support.recorded import FOLDER

FULL = Path("/dev/full")
PROGRAM = [sys.executable, "-c", "from milvus_otel_processor.cli import main; main()"]
SECONDS = 120
needs_full = pytest.mark.skipif(not FULL.exists(), reason="/dev/full, a device that is always full, is Linux' own")


def run(*arguments: str, out: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    with out.open("wb") as stdout:
        return subprocess.run(
            [*PROGRAM, *arguments],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=SECONDS,
            env={**os.environ, **environ},
        )


@needs_full
@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (["config"], {}),
        (["--help"], {}),
        (["--version"], {"PYTHONUNBUFFERED": "1"}),
        (["replay", str(FOLDER / "traces.binpb")], {}),
        (["replay", str(FOLDER / "traces.binpb"), "--format", "json"], {"PYTHONUNBUFFERED": "1"}),
    ],
    ids=["more than is buffered", "less", "unbuffered", "tables", "JSON, unbuffered"],
)
def test_a_full_disk_is_one_line_and_status_1(arguments: list[str], environ: dict[str, str]) -> None:
    done = run(*arguments, out=FULL, **environ)
    assert (done.stderr, done.returncode) == ("cannot write: No space left on device\n", 1)


@needs_full
def test_where_nothing_is_written_a_full_disk_is_no_matter(tmp_path: Path) -> None:
    done = run("validate", "--config", str(tmp_path / "nowhere.yaml"), out=FULL)
    assert "cannot be read" in done.stderr
    assert "cannot write" not in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("arguments", [["config"], ["replay", str(FOLDER / "traces.binpb")]], ids=["text", "tables"])
def test_a_pipe_that_nobody_reads_is_no_error_to_talk_about(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as stdout:
        done = subprocess.run(
            [*PROGRAM, *arguments], stdout=stdout, stderr=subprocess.PIPE, check=False, timeout=SECONDS
        )
    assert done.stderr == b""
    assert done.returncode == 1


def test_errors_of_the_program_itself_are_not_hidden() -> None:
    code = (
        "from milvus_otel_processor.cli.output import watched_output\n"
        "with watched_output():\n"
        "    print('before')\n"
        "    raise OSError(28, 'No space left on device')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.stdout == "before\n"
    assert "Traceback" in done.stderr
    assert "cannot write" not in done.stderr


def test_ctrl_c_while_a_command_is_imported_ends_quietly_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt(name)

    monkeypatch.setattr(cli, "import_module", interrupted)
    result = CliRunner().invoke(main, ["demo"])
    assert (result.exit_code, result.output) == (130, "")


def test_ctrl_c_while_a_command_works_ends_quietly_with_130(tmp_path: Path) -> None:
    recording = tmp_path / "traces.binpb"
    os.mkfifo(recording)
    program = subprocess.Popen(
        [*PROGRAM, "replay", str(recording)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - it only sets a signal
    )
    with program, recording.open("wb"):  # which waits until it reads
        program.send_signal(signal.SIGINT)
        said, _ = program.communicate(timeout=SECONDS)
    assert (program.returncode, said) == (130, b"")
