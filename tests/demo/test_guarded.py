"""A guarded command and its temporary folder are gone whatever happens to the process that started them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from milvus_otel_processor.demo.errors import DemoError
from milvus_otel_processor.demo.guarded import Guarded

from tests.peers.waiting import wait_until

SLEEPER = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"]
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
DEAF_SLEEPER = [*SLEEPER[:2], DEAF + SLEEPER[2]]
OWNER = """
import json, os, signal, sys, time
from pathlib import Path
from milvus_otel_processor.demo.guarded import Guarded

signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background may have left it ignored
guarded = Guarded("guarded-test-")
guarded.start(json.loads(sys.argv[1]), cwd=guarded.folder, env=os.environ, log=guarded.folder / "log")
while not (text := (guarded.folder / "log").read_text() if (guarded.folder / "log").exists() else ""):
    time.sleep(0.01)
print(json.dumps({"pid": int(text), "folder": str(guarded.folder)}), flush=True)
time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def started(guarded: Guarded, command: list[str], **options: list[str]) -> int:
    assert guarded.folder is not None
    log = guarded.folder / "log"
    guarded.start(command, cwd=guarded.folder, env=os.environ, log=log, **options)
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"), "the command has printed its process id")
    return int(log.read_text())


def test_leaving_the_block_kills_the_command_and_removes_the_folder() -> None:
    with Guarded("guarded-test-") as guarded:
        pid = started(guarded, SLEEPER)
        folder = guarded.folder
        assert folder is not None
        assert folder.is_dir()
        assert is_alive(pid)
    assert not is_alive(pid)
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_owner_that_dies_of_a_signal_leaves_no_command_and_no_folder(number: signal.Signals) -> None:
    command = [sys.executable, "-c", OWNER, json.dumps(SLEEPER)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as owner:
        assert owner.stdout is not None
        told = json.loads(owner.stdout.readline())
        assert is_alive(told["pid"])
        owner.send_signal(number)
    wait_until(lambda: not is_alive(told["pid"]), "the command is gone")
    wait_until(lambda: not Path(told["folder"]).exists(), "the folder is gone")


def test_a_guardian_that_is_killed_takes_the_command_with_it() -> None:
    with Guarded("guarded-test-") as guarded:
        pid = started(guarded, SLEEPER)
        guarded._guardian.kill()
        wait_until(lambda: not is_alive(pid), "the command is gone")
        assert guarded.folder is not None
        (guarded.folder / "log").unlink()
        guarded.folder.rmdir()
        with pytest.raises(DemoError, match="status -9"):
            guarded.returncode()


def test_grace_lets_a_command_that_listens_end_by_itself() -> None:
    with Guarded("guarded-test-") as guarded:
        started(guarded, SLEEPER)
        before = time.monotonic()
        guarded.stop(grace_seconds=60)
        assert time.monotonic() - before < 30


def test_a_command_that_ignores_sigterm_is_killed_after_the_grace() -> None:
    with Guarded("guarded-test-") as guarded:
        pid = started(guarded, DEAF_SLEEPER)
        guarded.stop(grace_seconds=0.2)
        assert not is_alive(pid)


def test_what_the_command_itself_started_ends_with_it() -> None:
    family = f"import subprocess; subprocess.Popen({SLEEPER!r}).wait()"
    with Guarded("guarded-test-") as guarded:
        grandchild = started(guarded, [sys.executable, "-c", family])
        assert is_alive(grandchild)
    wait_until(lambda: not is_alive(grandchild), "the grandchild is gone")


def test_the_folder_outlives_the_command_so_that_its_log_can_be_read() -> None:
    with Guarded("guarded-test-") as guarded:
        assert guarded.folder is not None
        log = guarded.folder / "log"
        command = [sys.executable, "-c", "print('last words'); raise SystemExit(3)"]
        guarded.start(command, cwd=guarded.folder, env=os.environ, log=log)
        wait_until(lambda: guarded.returncode() is not None, "the command has ended")
        assert guarded.returncode() == 3
        assert log.read_text() == "last words\n"


def test_litter_is_removed_where_it_belongs_to_the_command_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "theirs").mkdir()
    with Guarded("guarded-test-") as guarded:
        names = [f"{tmp_path}/ours/server_{{pid}}", f"{tmp_path}/theirs/run.pid", f"{tmp_path}/missing"]
        pid = started(guarded, SLEEPER, litter=names)
        (tmp_path / "ours" / f"server_{pid}").write_text("anything")
        (tmp_path / "theirs" / "run.pid").write_text("1")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["theirs", "theirs/run.pid"]


def test_a_guarded_process_that_never_starts_a_command_leaves_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with Guarded("guarded-test-") as guarded:
        folder = guarded.folder
    assert folder is not None
    assert not folder.exists()
    assert capfd.readouterr().err == ""
