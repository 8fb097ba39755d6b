"""What a command says on stderr, of errors above all: nothing in it can move the terminal's cursor, whoever wrote it."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from milvus_otel_processor.printable import shortened

_LONGEST_LINE = 4_000


def complain(words: object) -> None:
    """Write an error, a warning, or a remark to stderr; its lines stay lines."""
    click.echo("\n".join(shortened(line, _LONGEST_LINE) for line in str(words).expandtabs().split("\n")), err=True)


def fail(words: object, status: int = 1) -> NoReturn:
    """Say what is wrong, and end the command with this status."""
    complain(words)
    sys.exit(status)
