"""`milvus-otel logs`: the log records of a trace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from milvus_otel_processor.cli.complaints import fail
from milvus_otel_processor.cli.options import format_option, trace_id_of
from milvus_otel_processor.printable import as_json

if TYPE_CHECKING:
    from milvus_otel_processor.log_files.reading import LogRecord


@click.command("logs")
@click.argument("trace_id", metavar="TRACE_ID")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@format_option("text", "json", text="How to show them.")
def command(*, trace_id: str, paths: tuple[Path, ...], form: Literal["text", "json"]) -> None:
    r"""Show the log records of a trace, Milvus' own and those of applications, in the order of their times.

    PATHs are files that a Collector's file exporter has written with format json, also old ones, rotated or compressed; or folders
    of such files; a file that is named twice counts once. The stack has them on a volume: docs/observability.md has the command.

    \b
    Examples:
      milvus-otel logs 5b8efff798038103d269b633813fc60c logs.jsonl milvus.jsonl
      milvus-otel logs 5b8efff798038103d269b633813fc60c /var/log/applications --format json
    """
    wanted = trace_id_of(trace_id)
    found = _found(wanted, paths)
    from milvus_otel_processor.log_files.shown import document, lines  # noqa: PLC0415 - where there is something to show

    if form == "json":
        click.echo(as_json(document(wanted, found)))
        return
    for record in found:
        for line in lines(record):
            click.echo(line)


def _found(trace_id: str, paths: tuple[Path, ...]) -> list[LogRecord]:
    """Return the records; if there are none, say so, and end with status 1."""
    from milvus_otel_processor.log_files.reading import LogFileError, files_in, records_of  # noqa: PLC0415 - as above

    try:
        files = files_in(paths)
        found = [record for file in files for record in records_of(trace_id, file)]
    except LogFileError as error:
        fail(error)
    if not found:
        read = str(files[0]) if len(files) == 1 else f"{len(files)} files"
        fail(f"no log record of the trace {trace_id} in {read}")
    return sorted(found, key=lambda record: record.nanoseconds)
