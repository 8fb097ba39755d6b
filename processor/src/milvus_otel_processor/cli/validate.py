"""`milvus-otel validate`: all that is wrong with a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from milvus_otel_processor.cli.options import config_options, load_or_exit

if TYPE_CHECKING:
    from pathlib import Path


@click.command("validate")
@config_options
def command(path: Path | None, overrides: tuple[str, ...]) -> None:
    """Check a configuration, and what it includes, without running it.

    Says all that is wrong, each with file and line, and ends with status 1 if anything is. Warnings leave it valid. The file
    may also hold rules alone, as sampling.yaml does.
    """
    loaded = load_or_exit(path, overrides, rules_alone=True)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{path or 'built-in configuration'}: valid")
