"""`milvus-otel validate`: all that is wrong with a configuration."""

from __future__ import annotations

import os
import sys
from time import time
from typing import TYPE_CHECKING, Literal

import click

from milvus_otel_processor.cli.complaints import complain
from milvus_otel_processor.cli.options import config_options, format_option
from milvus_otel_processor.config import ConfigError, Problem, load_config
from milvus_otel_processor.printable import as_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ERROR, _WARNING = "error", "warning"
_ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_ESCAPES_OF_PROPERTIES = {**_ESCAPES, ":": "%3A", ",": "%2C"}


@click.command("validate")
@config_options
@format_option(
    "text", "json", "github", text="How to say it: for people, for programs, or as annotations of GitHub Actions."
)
@click.option(
    "--files/--no-files",
    "reads_files",
    default=True,
    show_default=True,
    help="Whether to read the certificates, keys and tokens that it names.",
)
def command(
    path: Path | None, overrides: tuple[str, ...], form: Literal["text", "json", "github"], *, reads_files: bool
) -> None:
    r"""Check a configuration, and what it includes, without running it.

    Says all that is wrong, each with file, line and column, and ends with status 1 if anything is. Warnings leave it valid. The
    file may also hold rules alone, as sampling.yaml does. Certificates, keys and tokens in files are read: whether they are
    there, a key is that of its certificate, and a certificate has not ended.

    \b
    Examples:
      milvus-otel validate --config processor.yaml
      milvus-otel validate --config sampling.yaml --format github    # annotations in a pull request
    """
    errors: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()
    try:
        loaded = load_config(path, overrides=overrides, environ=os.environ, rules_alone=True)
        errors, on_files = loaded.problems_with_files(time()) if reads_files else ((), [])
        warnings = [*loaded.warnings, *on_files]
    except ConfigError as error:
        errors = error.problems
    found = [*((_ERROR, problem) for problem in errors), *((_WARNING, problem) for problem in warnings)]
    if form == "json":
        click.echo(_as_json(found))
    elif form == "github":
        for severity, problem in found:
            click.echo(_as_annotation(severity, problem))
    else:
        for severity, problem in found:
            said = problem.with_column()
            complain(f"warning: {said}" if severity == _WARNING else said)
    if errors:
        sys.exit(1)
    if form == "text":
        click.echo(f"{path or 'built-in configuration'}: valid")


def _as_json(found: list[tuple[str, Problem]]) -> str:
    problems = [
        {
            "severity": severity,
            "file": problem.place.source,
            "line": problem.place.line,
            "column": problem.place.column,
            "path": problem.path,
            "message": problem.message,
        }
        for severity, problem in found
    ]
    document = {"valid": all(severity != _ERROR for severity, _ in found), "problems": problems}
    return as_json(document)


def _as_annotation(severity: str, problem: Problem) -> str:
    place = problem.place
    properties = {"file": place.source, "line": place.line, "col": place.column}
    shown = ",".join(
        f"{key}={_escaped(str(value), _ESCAPES_OF_PROPERTIES)}" for key, value in properties.items() if value
    )
    message = f"{problem.path}: {problem.message}" if problem.path else problem.message
    return f"::{severity} {shown}::{_escaped(message, _ESCAPES)}"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)
