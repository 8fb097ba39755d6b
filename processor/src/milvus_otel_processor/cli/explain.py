"""`milvus-otel explain`: why a recorded trace is kept, or is not."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Literal

import click

from milvus_otel_processor.cli.options import LeftOut, RecordingError, console, recorded_options, warn_of
from milvus_otel_processor.replay.explain import show, to_json
from milvus_otel_processor.replay.runner import Run
from milvus_otel_processor.replay.watch import ExplainedRules

if TYPE_CHECKING:
    from milvus_otel_processor.cli.options import Recorded
    from milvus_otel_processor.config import Config
    from milvus_otel_processor.replay.watch import Explained

_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")


@click.command("explain")
@click.argument("trace_id", metavar="TRACE_ID")
@recorded_options
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
    recorded: Recorded,
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
    config = recorded.load()
    left_out = LeftOut()
    try:
        found = _find(bytes.fromhex(trace_id), recorded, config, left_out)
    except RecordingError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    warn_of(left_out)
    if found is None:
        names = ", ".join(map(str, recorded.files))
        click.echo(f"no trace {trace_id.lower()} was decided: no valid span of it is in {names}", err=True)
        sys.exit(1)
    if form == "json":
        click.echo(to_json(trace_id.lower(), found))
    else:
        show(trace_id.lower(), found, console())


def _find(wanted: bytes, recorded: Recorded, config: Config, left_out: LeftOut) -> Explained | None:
    if config.tail_sampling is None:
        raise RecordingError("the pipeline has no tail_sampling processor, so that every trace is kept")
    run = Run(config, rules=ExplainedRules, store_kind=config.store)
    rules = run.rules
    assert isinstance(rules, ExplainedRules)
    rules.wanted = wanted
    run.play(recorded.read(left_out), until=lambda: rules.found is not None)
    return rules.found
