"""`milvus-otel replay`: recorded traffic through the rules, and what they keep of it."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import click

from milvus_otel_processor.cli.options import (
    access_log_option,
    check_access_logs,
    config_options,
    console,
    load_or_exit,
)
from milvus_otel_processor.replay.access_log import read_access_log
from milvus_otel_processor.replay.counted import CountedRules
from milvus_otel_processor.replay.left_out import LeftOut
from milvus_otel_processor.replay.recording import RecordingError, read
from milvus_otel_processor.replay.report import Report
from milvus_otel_processor.replay.runner import Run
from milvus_otel_processor.replay.tables import print_report
from milvus_otel_processor.sampling.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.config import Config
    from milvus_otel_processor.replay.recording import Message
    from milvus_otel_processor.replay.runner import Outcome


@click.command("replay")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@config_options
@access_log_option
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
@click.option(
    "--votes/--no-votes",
    default=True,
    show_default=True,
    help="Ask every policy about every trace, to count what each would keep and what only it keeps; without it replay is faster.",
)
def command(
    *,
    files: tuple[Path, ...],
    path: Path | None,
    overrides: tuple[str, ...],
    access_logs: tuple[Path, ...],
    form: Literal["table", "json"],
    out: Path | None,
    votes: bool,
) -> None:
    """Run recorded traces through the processor's rules, and say what each of them keeps.

    Each FILE is what the Collector's file exporter writes, with format proto or json, compressed or not. The clock is the
    recording's: a request arrives when the latest of its spans has ended. Nothing is sent anywhere, and Milvus is not asked.

    The configuration may be rules alone, a file with `policies` as sampling.yaml is. Of a file that is still being written
    what is whole is replayed. Requests with metrics or logs are left out.
    """
    loaded = load_or_exit(path, overrides, rules_alone=True)
    left_out, inputs = LeftOut(), _Inputs(files, access_logs)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    try:
        outcome, rules = _run(inputs, loaded.config, out, left_out, CountedRules if votes else Rules)
    except RecordingError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except OSError as error:  # those of reading are RecordingErrors
        click.echo(f"--out {out}: cannot be written: {error.strerror}", err=True)
        sys.exit(1)
    for line in left_out.lines():
        click.echo(f"warning: {line}", err=True)
    report = Report(outcome, loaded.config.tail_sampling, left_out, rules)
    if form == "json":
        click.echo(json.dumps(report.document(), indent=2, ensure_ascii=False))
    else:
        print_report(report, console())


class _Inputs(NamedTuple):
    """The files that are replayed."""

    files: tuple[Path, ...]
    access_logs: tuple[Path, ...]

    def read(self, left_out: LeftOut) -> list[Iterator[Message]]:
        """Return the recordings, not read yet; what of them is not replayed is counted in `left_out`."""
        return [read(file, left_out) for file in self.files] + [read_access_log(file) for file in self.access_logs]


def _run(
    inputs: _Inputs, config: Config, out: Path | None, left_out: LeftOut, rules: type[Rules]
) -> tuple[Outcome, Rules]:
    check_access_logs(inputs.access_logs, config)
    with ExitStack() as stack:
        target = None
        if out is not None:
            _check_not_read(out, (*inputs.files, *inputs.access_logs))
            target = stack.enter_context(out.open("wb"))
        run = Run(config, target, rules, config.store)
        return run.play(inputs.read(left_out)), run.rules


def _check_not_read(out: Path, files: tuple[Path, ...]) -> None:
    for file in files:
        with suppress(OSError):
            if out.samefile(file):
                raise RecordingError(f"--out {out}: is one of the files that are read; name another")
