"""`milvus-otel explain`: why a trace is kept, or is not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import click

from milvus_otel_processor.cli.complaints import fail
from milvus_otel_processor.cli.options import (
    console,
    format_option,
    page_options,
    recorded_options,
    trace_id_of,
    warn_of,
)
from milvus_otel_processor.cli.progress import progress
from milvus_otel_processor.replay.explain import from_document, show, to_json
from milvus_otel_processor.replay.left_out import LeftOut

if TYPE_CHECKING:
    from milvus_otel_processor.cli.options import Recorded
    from milvus_otel_processor.config import Config
    from milvus_otel_processor.replay.explained import Explained


@click.command("explain")
@click.argument("trace_id", metavar="TRACE_ID")
@partial(recorded_options, required=False)
@page_options
@format_option("text", "json", text="How to say it.")
def command(
    *,
    trace_id: str,
    recorded: Recorded,
    form: Literal["text", "json"],
    url: str | None,
    token: str | None,
) -> None:
    r"""Say of one trace what each policy decides about it, and why.

    FILEs are recordings, and the configuration is one or the rules alone, as for `milvus-otel replay`: the traffic goes through
    the rules up to the decision over this trace. With --from, it is a trace of the last minutes, kept or not, as the running
    processor has decided it.

    \b
    Examples:
      milvus-otel explain 5b8efff798038103d269b633813fc60c traces.binpb --config sampling.yaml
      milvus-otel explain 5b8efff798038103d269b633813fc60c --from http://127.0.0.1:18888
      milvus-otel explain 5b8efff798038103d269b633813fc60c traces.binpb --policy slow.threshold_ms=200 --format json
    """
    wanted = trace_id_of(trace_id)
    if (url is None) == (not recorded.files):
        raise click.UsageError("expected FILEs of recorded traffic, or --from with the address of a running processor")
    if url is not None:
        if recorded.path or recorded.overrides or recorded.policy_overrides or recorded.access_logs:
            raise click.UsageError(
                "--from tells what the running processor decided, by its own rules: only --format goes with it"
            )
        _say(wanted, _asked(url, token, trace_id), form)
        return
    _say(wanted, _replayed(trace_id, recorded), form)


def _say(trace_id: str, found: Explained, form: Literal["text", "json"]) -> None:
    if form == "json":
        click.echo(to_json(trace_id, found))
    else:
        show(trace_id, found, console())


def _asked(url: str, token: str | None, trace_id: str) -> Explained:
    from milvus_otel_processor.page.client import Client, ClientError  # noqa: PLC0415 - files do not need it

    try:
        return from_document(Client(url, token).get(f"/traces/{trace_id}", "decision", "policies", "span_details"))
    except ClientError as error:
        fail(error)


def _replayed(trace_id: str, recorded: Recorded) -> Explained:
    from milvus_otel_processor.replay.recording import RecordingError  # noqa: PLC0415 - a running processor needs none of it

    config = recorded.load()
    left_out = LeftOut()
    try:
        found = _find(bytes.fromhex(trace_id), recorded, config, left_out)
    except RecordingError as error:
        warn_of(left_out)
        fail(error)
    warn_of(left_out)
    if found is None:
        names = ", ".join(map(str, recorded.files))
        fail(f"no trace {trace_id.lower()} was decided: no valid span of it is in {names}")
    return found


def _find(wanted: bytes, recorded: Recorded, config: Config, left_out: LeftOut) -> Explained | None:
    from milvus_otel_processor.replay.no_trace import check_traces  # noqa: PLC0415 - as above
    from milvus_otel_processor.replay.recording import RecordingError  # noqa: PLC0415 - likewise
    from milvus_otel_processor.replay.runner import Run  # noqa: PLC0415 - likewise
    from milvus_otel_processor.replay.watch import ExplainedRules  # noqa: PLC0415 - likewise

    if config.tail_sampling is None:
        raise RecordingError("the pipeline has no tail_sampling processor, so that every trace is kept")
    run = Run(config, rules=ExplainedRules, store_kind=config.store)
    rules = run.rules
    assert isinstance(rules, ExplainedRules)
    rules.wanted = wanted
    with progress() as shown:
        outcome = run.play(recorded.read(left_out, shown), until=lambda: rules.found is not None)
    if rules.found is None:
        check_traces(recorded.files, outcome.counted)
    return rules.found
