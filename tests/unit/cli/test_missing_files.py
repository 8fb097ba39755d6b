"""A file that cannot be read is told of in one way, whichever command was to read it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from milvus_otel_processor.cli import main

SOURCE = Path(__file__).parents[3] / "processor" / "src" / "milvus_otel_processor"
TRACE = "0" * 31 + "1"
SAID = "{file}: cannot be read: No such file or directory\n"


@pytest.mark.parametrize(
    "words",
    [
        "validate --config {file}",
        "run --config {file}",
        "replay {file}",
        "replay {file} --config {file}",
        "explain " + TRACE + " {file}",
        "test {file}",
        "logs " + TRACE + " {file}",
        "top --token-file {file}",
        "doctor --token-file {file}",
        "health --ca-file {file}",
    ],
)
def test_a_file_that_is_not_there_is_one_line_and_status_1(words: str, tmp_path: Path) -> None:
    file = tmp_path / "nowhere"
    done = CliRunner().invoke(main, words.format(file=file).split())
    assert done.exit_code == 1
    assert re.sub(r"^--[\w-]+ ", "", done.stderr) == SAID.format(file=file)


def test_a_certificate_that_is_none_is_named_with_its_option(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("no PEM", encoding="utf-8")
    done = CliRunner().invoke(main, ["health", "--ca-file", str(tmp_path / "ca.crt")])
    assert (done.exit_code, done.stderr) == (1, f"--ca-file {tmp_path}/ca.crt is not a PEM file\n")


def test_no_message_says_it_in_other_words() -> None:
    others = re.compile(r"""["'][^"'\n]*\b(?:cannot read \{|not readable|could not read|unable to read)""")
    found = [str(path) for path in SOURCE.rglob("*.py") if others.search(path.read_text(encoding="utf-8"))]
    assert found == []
