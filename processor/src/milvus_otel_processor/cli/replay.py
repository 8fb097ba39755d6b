"""`milvus-otel replay`: recorded traffic through the rules, and what they keep of it."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from milvus_otel_processor.cli.options import config_options, load_or_exit
from milvus_otel_processor.replay.access_log import read_access_log
from milvus_otel_processor.replay.left_out import LeftOut
from milvus_otel_processor.replay.recording import RecordingError, read
from milvus_otel_processor.replay.report import Report
from milvus_otel_processor.replay.runner import replay

if TYPE_CHECKING:
    from milvus_otel_processor.config import Config
    from milvus_otel_processor.replay.runner import Outcome


@click.command("replay")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@config_options
@click.option(
    "--access-log",
    "access_logs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Milvus' access log of the same time, which knows collections and errors. May be given often.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to say what was kept.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what was kept, as the Collector's file exporter does with format: proto.",
)
def command(
    *,
    files: tuple[Path, ...],
    path: Path | None,
    overrides: tuple[str, ...],
    access_logs: tuple[Path, ...],
    form: Literal["table", "json"],
    out: Path | None,
) -> None:
    """Run recorded traces through the processor's rules, and say what each of them keeps.

    Each FILE is what the Collector's file exporter writes, with format proto or json, compressed or not. The clock is the
    recording's: a request arrives when the latest of its spans has ended. Nothing is sent anywhere, and Milvus is not asked.

    The configuration may be rules alone, a file with `policies` as sampling.yaml is. Of a file that is still being written
    what is whole is replayed. Requests with metrics or logs are left out.
    """
    loaded = load_or_exit(path, overrides, rules_alone=True)
    left_out = LeftOut()
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    try:
        outcome = _run(files, access_logs, loaded.config, out, left_out)
    except RecordingError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except OSError as error:  # those of reading are RecordingErrors
        click.echo(f"--out {out}: cannot be written: {error.strerror}", err=True)
        sys.exit(1)
    for line in left_out.lines():
        click.echo(f"warning: {line}", err=True)
    report = Report(outcome, loaded.config.tail_sampling, left_out)
    if form == "json":
        click.echo(report.to_json())
    else:
        report.print_table(sys.stdout)


def _run(
    files: tuple[Path, ...], access_logs: tuple[Path, ...], config: Config, out: Path | None, left_out: LeftOut
) -> Outcome:
    if access_logs and (config.milvus is None or "access_log" not in config.milvus.sources):
        raise RecordingError(
            f"--access-log {access_logs[0]}: means nothing with this configuration; "
            "put the processor milvus with the source access_log into the pipeline"
        )
    with ExitStack() as stack:
        target = None
        if out is not None:
            _check_not_read(out, (*files, *access_logs))
            target = stack.enter_context(out.open("wb"))
        recordings = [read(file, left_out) for file in files] + [read_access_log(file) for file in access_logs]
        return replay(recordings, config, target)


def _check_not_read(out: Path, files: tuple[Path, ...]) -> None:
    for file in files:
        with suppress(OSError):
            if out.samefile(file):
                raise RecordingError(f"--out {out}: is one of the files that are read; name another")
