"""What commands import: each waits for what it uses, and for nothing else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from milvus_otel_processor.cli import main

HEAVY = ("grpc", "lark", "opentelemetry", "pydantic", "pymilvus", "rich", "ruamel", "starlette", "uvicorn")
RULES = """
decision_wait: 1s
policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]
"""


def loaded(*arguments: str) -> set[str]:
    """The heavy packages that a command line has imported when it ends."""
    code = (
        "import sys; from milvus_otel_processor.cli import main\n"
        f"try: main({list(arguments)!r})\n"
        "except SystemExit: pass\n"
        f"print('\\nloaded', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["completion", "bash"]], ids=" ".join)
def test_what_needs_no_settings_loads_nothing(arguments: list[str]) -> None:
    assert loaded(*arguments) == set()


def test_to_ask_a_running_processor_takes_neither_settings_nor_yaml() -> None:
    assert loaded("explain", "ab" * 16, "--from", "http://127.0.0.1:9") == set()


def test_a_replay_takes_neither_grpc_nor_a_parser_of_conditions_that_no_rule_has(tmp_path) -> None:
    rules, recording = tmp_path / "rules.yaml", tmp_path / "traces.binpb"
    rules.write_text(RULES)
    recording.write_bytes(b"")
    found = loaded("explain", "ab" * 16, str(recording), "--config", str(rules))
    assert "pydantic" in found  # the settings were read
    assert not {"grpc", "lark", "opentelemetry", "pymilvus", "rich", "starlette", "uvicorn"} & found


def test_a_command_that_a_program_calls_leaves_that_program_s_environment_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GRPC_VERBOSITY", raising=False)
    assert CliRunner().invoke(main, ["health", "--help"]).exit_code == 0
    assert "GRPC_VERBOSITY" not in os.environ


@pytest.mark.parametrize(("command", "expected"), [("health", "NONE"), ("run", "None")])
def test_grpc_s_own_lines_are_off_in_every_program_but_run_which_reads_them(command: str, expected: str) -> None:
    code = (
        "import atexit, os; atexit.register(lambda: print(os.environ.get('GRPC_VERBOSITY')));"
        "from milvus_otel_processor.cli import main; main()"
    )
    environ = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    ended = subprocess.run(
        [sys.executable, "-c", code, command, "--help"], env=environ, capture_output=True, text=True, check=True
    )
    assert ended.stdout.splitlines()[-1] == expected
