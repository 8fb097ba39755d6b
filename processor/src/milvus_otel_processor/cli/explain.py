"""`milvus-otel explain`: why a recorded trace is kept, or is not."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from milvus_otel_processor.cli.options import (
    access_log_option,
    check_access_logs,
    config_options,
    console,
    load_or_exit,
)
from milvus_otel_processor.replay.access_log import read_access_log
from milvus_otel_processor.replay.explain import show, to_json
from milvus_otel_processor.replay.left_out import LeftOut
from milvus_otel_processor.replay.recording import RecordingError, read
from milvus_otel_processor.replay.runner import Run
from milvus_otel_processor.replay.watch import ExplainedRules

if TYPE_CHECKING:
    from milvus_otel_processor.config import Config
    from milvus_otel_processor.replay.watch import Explained

_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")


@click.command("explain")
@click.argument("trace_id", metavar="TRACE_ID")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@config_options
@access_log_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to say it.",
)
def command(
    *,
    trace_id: str,
    files: tuple[Path, ...],
    path: Path | None,
    overrides: tuple[str, ...],
    access_logs: tuple[Path, ...],
    form: Literal["text", "json"],
) -> None:
    r"""Say of one recorded trace what each policy decides about it, and why.

    FILEs are recordings, and the configuration is one or the rules alone, as for `milvus-otel replay`: the traffic goes through
    the rules up to the decision over this trace.

    \b
    Example:
      milvus-otel explain 5b8efff798038103d269b633813fc60c traces.binpb --config sampling.yaml
    """
    if not _TRACE_ID.fullmatch(trace_id):
        click.echo(f"{trace_id!r} is not a trace id, expected 32 hexadecimal digits", err=True)
        sys.exit(1)
    loaded = load_or_exit(path, overrides, rules_alone=True)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    left_out = LeftOut()
    try:
        check_access_logs(access_logs, loaded.config)
        found = _find(bytes.fromhex(trace_id), files, access_logs, loaded.config, left_out)
    except RecordingError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    for line in left_out.lines():
        click.echo(f"warning: {line}", err=True)
    if found is None:
        names = ", ".join(map(str, files))
        click.echo(f"no trace {trace_id.lower()} was decided: no valid span of it is in {names}", err=True)
        sys.exit(1)
    if form == "json":
        click.echo(to_json(trace_id.lower(), found))
    else:
        show(trace_id.lower(), found, console())


def _find(
    wanted: bytes, files: tuple[Path, ...], access_logs: tuple[Path, ...], config: Config, left_out: LeftOut
) -> Explained | None:
    if config.tail_sampling is None:
        raise RecordingError("the pipeline has no tail_sampling processor, so that every trace is kept")
    run = Run(config, rules=ExplainedRules, store_kind=config.store)
    assert isinstance(run.rules, ExplainedRules)
    run.rules.wanted = wanted
    recordings = [read(file, left_out) for file in files] + [read_access_log(file) for file in access_logs]
    run.play(recordings, until=lambda: run.rules.found is not None)  # type: ignore[attr-defined] # asserted above
    return run.rules.found
