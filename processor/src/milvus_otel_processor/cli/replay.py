"""`milvus-otel replay`: recorded traffic through the rules, and what they keep of it."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from milvus_otel_processor.cli.complaints import complain, fail
from milvus_otel_processor.cli.options import console, format_option, load_and_warn, recorded_options, warn_of
from milvus_otel_processor.cli.progress import progress
from milvus_otel_processor.enrichment.access_log.contract import RECEIVED
from milvus_otel_processor.printable import as_json
from milvus_otel_processor.replay.compare import Comparison, Limit, Side, read_limit
from milvus_otel_processor.replay.counted import CountedRules
from milvus_otel_processor.replay.kept_traces import KeptTraces
from milvus_otel_processor.replay.left_out import LeftOut
from milvus_otel_processor.replay.no_trace import check_traces
from milvus_otel_processor.replay.out_file import written_whole
from milvus_otel_processor.replay.recording import RecordingError
from milvus_otel_processor.replay.report import Report
from milvus_otel_processor.replay.runner import Run, replay_together
from milvus_otel_processor.replay.tables import print_comparison, print_report
from milvus_otel_processor.sampling.rules import Rules
from milvus_otel_processor.service.assemble import gathering_time

if TYPE_CHECKING:
    from milvus_otel_processor.cli.options import Recorded
    from milvus_otel_processor.config import Config

OVER = 3
"""The exit status where a limit of `--fail-over` is exceeded."""


def _limits(_: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> list[Limit]:
    try:
        return [read_limit(text) for text in texts]
    except ValueError as error:
        raise click.BadParameter(str(error), param=parameter) from None


@click.command("replay")
@recorded_options
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="OTHER",
    help="Compare with other rules on the same traffic, such as those in force: what is gained, and what is lost.",
)
@click.option(
    "--fail-over",
    "limits",
    multiple=True,
    callback=_limits,
    metavar="LIMIT",
    help=f"End with status {OVER} where a figure is beyond a limit, such as 'kept>+20%' or 'lost>0' as compared with --against, or "
    "'kept>15%' of all traces. May be given often.",
)
@format_option("table", "json", text="How to say what was kept.")
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
    recorded: Recorded,
    against: Path | None,
    limits: list[Limit],
    form: Literal["table", "json"],
    out: Path | None,
    votes: bool,
) -> None:
    r"""Run recorded traces through the processor's rules, and say what each of them keeps.

    Each FILE is what the Collector's file exporter writes, with format proto or json, compressed or not. The clock is the
    recording's: a request arrives when the latest of its spans has ended. Nothing is sent anywhere, and Milvus is not asked.

    The configuration may be rules alone, a file with `policies` as sampling.yaml is. Of a file that is still being written
    what is whole is replayed. Requests with metrics or logs are left out; files without any trace
    end it with status 1. With --against, gained are the traces that these
    rules keep and the others do not; --set and --policy do not change the others.

    \b
    Examples:
      milvus-otel replay traces.binpb --config sampling.yaml --access-log access.log
      milvus-otel replay traces.binpb --config sampling.yaml --policy slow.threshold_ms=200 --against sampling.yaml
      milvus-otel replay traces.binpb --config new.yaml --against sampling.yaml --fail-over 'kept>+20%' --fail-over 'lost>0'
    """
    _check_options(against, limits, votes=votes)
    configs = [recorded.load()]
    if against is not None:
        configs.append(load_and_warn(against))
    left_out = LeftOut()
    try:
        sides = _replayed(recorded, configs, out, left_out, votes=votes)
    except RecordingError as error:
        warn_of(left_out)
        fail(error)
    except OSError as error:  # those of reading are RecordingErrors
        fail(f"--out {out}: cannot be written: {error.strerror}")
    warn_of(left_out)
    if recorded.access_logs and not sides[0].outcome.counted.access_log_lines[RECEIVED]:
        names = ", ".join(map(str, recorded.access_logs))
        complain(
            f"warning: no whole line of Milvus' access log in {names}: collections and errors are not known from it"
        )
    comparison = Comparison(str(against), *sides) if against is not None else None
    if comparison is not None and comparison.unsure:
        complain(
            f"warning: {comparison.unsure:,} traces were compared before both rule sets had decided, because more is kept within "
            "decision_wait than is remembered: a shorter recording, or a shorter wait, compares rightly",
        )
    _show(sides[0].report, comparison, form)
    exceeded = [words for limit in limits if (words := limit.exceeded(sides[0].report, comparison)) is not None]
    for words in exceeded:
        complain(words)
    if exceeded:
        sys.exit(OVER)


def _check_options(against: Path | None, limits: list[Limit], *, votes: bool) -> None:
    if against is not None and not votes:
        raise click.UsageError("--against has to look at every trace: leave --no-votes out")
    for limit in limits:
        if limit.compares and against is None:
            raise click.UsageError(
                f"--fail-over {limit.text}: takes other rules to compare with: name them by --against"
            )


def _replayed(
    recorded: Recorded, configs: list[Config], out: Path | None, left_out: LeftOut, *, votes: bool
) -> list[Side]:
    kept = KeptTraces(len(configs), max(gathering_time(config) for config in configs))
    with ExitStack() as stack:
        target = None
        if out is not None:
            _check_not_read(out, (*recorded.files, *recorded.access_logs))
            target = stack.enter_context(written_whole(out))
        runs = [
            Run(
                config,
                target if not place else None,
                partial(CountedRules, kept=kept.side(place)) if votes else Rules,
                config.store,
            )
            for place, config in enumerate(configs)
        ]
        shown = stack.enter_context(progress())
        outcomes = replay_together(runs, recorded.read(left_out, shown))
        check_traces(recorded.files, outcomes[0].counted)
    return [
        Side(outcome, Report(outcome, config.tail_sampling, left_out, run.rules))
        for outcome, config, run in zip(outcomes, configs, runs, strict=True)
    ]


def _show(report: Report, comparison: Comparison | None, form: str) -> None:
    if form == "json":
        document: dict[str, Any] = report.document()
        if comparison is not None:
            document["against"] = comparison.document()
        click.echo(as_json(document))
        return
    print_report(report, console())
    if comparison is not None:
        print_comparison(comparison, console())


def _check_not_read(out: Path, files: tuple[Path, ...]) -> None:
    for file in files:
        with suppress(OSError):
            if out.samefile(file):
                raise RecordingError(f"--out {out}: is one of the files that are read; name another")
