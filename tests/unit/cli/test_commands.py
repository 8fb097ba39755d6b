from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from click.testing import CliRunner, Result
from milvus_otel_processor.cli import SUBCOMMANDS, main
from milvus_otel_processor.spans.stores import chosen

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_the_help_lists_every_subcommand() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    for name, purpose in SUBCOMMANDS.items():
        assert name in result.stdout
        assert purpose in " ".join(result.stdout.split())


def test_the_help_loads_neither_grpc_nor_pydantic() -> None:
    code = (
        "import sys; from milvus_otel_processor.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('loaded', sorted({'grpc', 'pydantic', 'ruamel'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "loaded []"


def test_every_subcommand_has_its_help() -> None:
    for name in SUBCOMMANDS:
        result = invoke(name, "--help")
        assert result.exit_code == 0
        assert f"Usage: main {name}" in result.stdout


def test_an_unknown_subcommand_is_refused() -> None:
    result = invoke("rum")
    assert result.exit_code == 2
    assert "rum" in result.stderr


def test_the_version_is_printed() -> None:
    assert invoke("--version").stdout == f"milvus-otel, version 0.1.0, store {chosen('auto')}\n"


def test_the_printed_configuration_can_be_saved_and_validated(tmp_path: Path) -> None:
    saved = tmp_path / "saved.yaml"
    saved.write_text(invoke("config").stdout)
    result = invoke("validate", "--config", str(saved))
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{saved}: valid\n", "")


def test_without_a_file_the_built_in_configuration_is_validated() -> None:
    result = invoke("validate")
    assert (result.exit_code, result.stdout) == (0, "built-in configuration: valid\n")


def test_a_wrong_configuration_ends_with_status_1_and_says_everything_on_stderr(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(invoke("config").stdout.replace("type: latency", "type: latncy").replace("uri:", "urii:"))
    result = invoke("validate", "--config", str(file))
    assert result.exit_code == 1
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert all(line.startswith(f"{file}:") for line in lines)
    assert [line.rpartition("; ")[2] for line in lines] == ['did you mean "uri"?', *['did you mean "latency"?'] * 2]


def test_a_missing_file_is_one_line_and_status_1() -> None:
    result = invoke("validate", "--config", "nowhere.yaml")
    assert result.exit_code == 1
    assert result.stderr == "nowhere.yaml: cannot be read: No such file or directory\n"


def test_warnings_leave_a_configuration_valid() -> None:
    result = invoke("validate", "--set", "service.pipelines.traces.processors=[tail_sampling]")
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: ")
    assert "processors.milvus: is not used" in result.stderr
    assert result.stdout == "built-in configuration: valid\n"


def test_a_set_that_is_wrong_names_itself() -> None:
    result = invoke("validate", "--set", "exporters.otlp.endpint=x")
    assert result.exit_code == 1
    assert result.stderr.startswith("--set exporters.otlp.endpint: is not a known key")


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEVEL", "loud")
    result = invoke("validate", "--set", "service.telemetry.logs.level=${env:LEVEL}")
    assert '"loud" is not known' in result.stderr
