"""Each command of the README is run by a test: those of `milvus-otel` here, in the order of the page, the others as listed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.partition("  #")[0].strip()
    for block in re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if re.match(r"(uv|docker|pip|git|cp|OTEL_\w+=\S+) ", line)
]
ELSEWHERE = {
    r"docker compose ": "tests/stack/test_stack.py",
    r"pip install ": "tests/packaging/test_install.py",
    r"OTEL_.* opentelemetry-instrument ": "tests/stack/test_signals.py",
    r"git clone ": "tests/packaging/test_install.py",
    r"uv run milvus-otel demo$": "tests/demo/test_demo.py",
    r"uv run milvus-otel run\b": "tests/integration/test_run.py",
    r"uv run milvus-otel .*my-rules": "tests/integration/docs/test_tune_your_rules.py",
    r"uv run pytest$": "conftest.py",
    r"uv run python -m tests\.benchmarks\.": "tests/differential/test_benchmark.py",
}
HERE = [command for command in COMMANDS if not any(re.match(pattern, command) for pattern in ELSEWHERE)]


def test_every_command_of_the_page_is_of_a_kind_that_a_test_runs() -> None:
    assert HERE
    assert [command for command in HERE if not command.startswith(("uv run milvus-otel ", "cp "))] == []
    assert [path for path in ELSEWHERE.values() if not (ROOT / path).exists()] == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a user tries the commands: a checkout, of which they read some files, with the page's example of a file."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "compose", folder / "compose")
    (folder / "tests" / "data").mkdir(parents=True)
    (folder / "tests" / "data" / "milvus-2.3.5").symlink_to(ROOT / "tests" / "data" / "milvus-2.3.5")
    (example,) = re.findall(r"^```yaml\n(receivers:.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (folder / "my-processor.yaml").write_text(example, encoding="utf-8")
    return folder


@pytest.mark.parametrize("command", HERE)
def test_a_command_of_the_page_does_what_it_says(command: str, folder: Path) -> None:
    if command.startswith("cp "):
        subprocess.run(shlex.split(command), cwd=folder, check=True)
        return
    words, _, target = command.removeprefix("uv run milvus-otel ").partition(" > ")
    program = [sys.executable, "-c", "from milvus_otel_processor.cli import main; main()", *shlex.split(words)]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    if target:
        (folder / target).write_text(done.stdout, encoding="utf-8")
