"""Completion in the shells themselves, as far as they are installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, FishComplete, ZshComplete
from click.testing import CliRunner
from milvus_otel_processor.cli import main, shells

from tests.peers.missing import require_command

CHANGES = {"bash": shells._BASH, "zsh": shells._ZSH, "fish": shells._FISH}
CLICKS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@pytest.fixture
def script(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What `milvus-otel completion` prints for a shell."""
    file = tmp_path / "script"
    file.write_text(CliRunner().invoke(main, ["completion", request.param]).stdout)
    return file


def run(shell: str, *arguments: str | Path) -> str:
    program = require_command(shell, "its completion script")
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run([program, *arguments], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("shell", sorted(CHANGES))
def test_each_change_finds_its_place_in_clicks_script(shell: str) -> None:
    for old, new in CHANGES[shell]:
        assert CLICKS[shell].source_template.count(old) == 1
        assert new in shells.SHELLS[shell].source_template


@pytest.mark.parametrize(("shell", "script"), [(name, name) for name in sorted(CHANGES)], indirect=["script"])
def test_the_script_is_one_that_the_shell_understands(shell: str, script: Path) -> None:
    run(shell, "-n", script)


WORDS = [
    ("milvus-otel repl", ["replay"]),
    ("milvus-otel replay --policy slow.th", ["slow.threshold_ms="]),
    ("milvus-otel replay --policy=slow.th", ["slow.threshold_ms="]),
    ("milvus-otel replay --format=", ["table", "json"]),
]


@pytest.mark.parametrize("script", ["bash"], indirect=True)
@pytest.mark.parametrize(("line", "expected"), WORDS)
def test_bash_completes(line: str, expected: list[str], script: Path) -> None:
    words = " ".join(f"'{word}'" for word in line.replace("=", " = ").rstrip().split(" "))
    ask = f"COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _milvus_otel_completion milvus-otel"
    found = run("bash", "-c", f'source {script}; compopt() {{ :; }}; {ask}; echo "${{COMPREPLY[*]}}"')
    assert found.split() == expected


@pytest.mark.parametrize("script", ["fish"], indirect=True)
@pytest.mark.parametrize(("line", "expected"), WORDS)
def test_fish_completes(line: str, expected: list[str], script: Path) -> None:
    found = run("fish", "--no-config", "-c", f"source {script}; complete -C '{line}'")
    before = f"{line.rpartition(' ')[2].partition('=')[0]}=" if "=" in line else ""
    assert sorted(one.split("\t")[0] for one in found.splitlines()) == sorted(f"{before}{one}" for one in expected)


@pytest.mark.parametrize("script", ["fish"], indirect=True)
def test_fish_shows_what_a_command_is_for_to_the_end(script: Path) -> None:
    found = run("fish", "--no-config", "-c", f"source {script}; complete -C 'milvus-otel ru'")
    assert found == "run\tReceive, enrich, sample and export traces.\n"


@pytest.mark.parametrize("script", ["zsh"], indirect=True)
def test_zsh_loads_its_completion_where_nobody_has(script: Path) -> None:
    defined = run("zsh", "-f", "-c", f"source {script}; print $_comps[milvus-otel]")
    assert defined == "_milvus_otel_completion\n"
