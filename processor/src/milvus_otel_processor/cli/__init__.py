"""The command `milvus-otel`. A subcommand is a module here with the click command `command`, and a line below."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from milvus_otel_processor.cli.output import watched_output

if TYPE_CHECKING:
    from collections.abc import Sequence

SUBCOMMANDS = {
    "run": "Receive, enrich, sample and export traces.",
    "validate": "Check a configuration and say all that is wrong with it.",
    "replay": "Run recorded traffic through the rules and say what they keep.",
    "explain": "Say why a trace is kept, or is not.",
    "top": "Show all requests: how many, how long, how many failed, where the time went.",
    "logs": "Show the log records of a trace.",
    "capture": "Record what comes in, to replay it.",
    "doctor": "Find out why traces are missing, or not joined.",
    "config": "Print the built-in configuration.",
    "test": "Check that the rules do with traces what you expect of them.",
    "schema": "Print the JSON Schema of the configuration, for editors.",
    "completion": "Print what makes a shell complete commands and options.",
    "health": "Ask whether a processor or a Collector is healthy.",
    "demo": "Show it at work, on a real Milvus in a temporary folder.",
}
"""The subcommands and what they are for; they are listed without being imported, so that `--help` is quick."""


_RUN = "run"
_INTERRUPTED = 130
_COMPLETE = "_MILVUS_OTEL_COMPLETE"
"""Set by the scripts of `completion`, when a shell asks what to complete."""
_YOUNG_OBJECTS = 200_000
"""How many more objects there are than at the last look for garbage, when the next is taken; Python's own is 700 to 2,000."""


class _Subcommands(click.Group):
    """Imports a subcommand when it is asked for."""

    def main(self, args: Sequence[str] | None = None, *others: Any, **named: Any) -> Any:
        """Run as the program where there are no arguments given but its own; see `click.Group.main`."""
        if args is not None:
            return super().main(args, *others, **named)
        if sys.argv[1:2] != [_RUN]:
            # gRPC writes lines of its own to stderr, of a port that is taken for one; our log says it. It reads this when imported.
            # `run` reads these lines. Whoever calls this function instead has an environment of its own.
            os.environ.setdefault("GRPC_VERBOSITY", "NONE")
            _start_quickly()
            if _COMPLETE in os.environ:
                from milvus_otel_processor.cli import shells  # noqa: PLC0415 - only then

                shells.use()
        with watched_output():
            return super().main(None, *others, **named)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand; Ctrl-C ends it quietly, and with the status that shells know, wherever it comes."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(_INTERRUPTED) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands."""
        del ctx
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand."""
        del ctx
        if cmd_name not in SUBCOMMANDS:
            return None
        command = import_module(f"{__name__}.{cmd_name}").command
        assert isinstance(command, click.Command)
        command.help = _as_it_stands(command.help)
        command.short_help = SUBCOMMANDS[cmd_name]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))


def _start_quickly() -> None:
    """Spare a command that ends soon what only costs time at its start."""
    # What is imported is not garbage, so looking for it there is for nothing: a tenth of what `explain` takes.
    gc.set_threshold(_YOUNG_OBJECTS)
    # To find plugins, pydantic reads the metadata of all packages that are installed; there are none for what is validated here.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _as_it_stands(text: str | None) -> str:
    """Return a help text whose examples click leaves as they are: docstrings have its mark for that as two characters."""
    return (text or "").replace("\\b\n", "\b\n")


def _say_version(context: click.Context, _: click.Parameter, wanted: object) -> None:
    if not wanted or context.resilient_parsing:
        return
    from importlib.metadata import version  # noqa: PLC0415 - no other command asks

    from milvus_otel_processor.spans.stores import chosen  # noqa: PLC0415 - likewise

    click.echo(f"milvus-otel, version {version('milvus-otel-processor')}, store {chosen('auto')}")
    context.exit()


@click.group(cls=_Subcommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_say_version,
    help="Show the version and exit.",
)
def main() -> None:
    r"""Traces of Milvus requests: enriched with the collection they touch, and kept by rules as whole traces.

    \b
    Examples:
      milvus-otel demo                                           # see it at work
      milvus-otel run                                            # beside a Collector, a Milvus and a Jaeger
      milvus-otel replay traces.binpb --config sampling.yaml     # what rules keep of recorded traffic
      milvus-otel top                                            # all requests, by collection
      milvus-otel replay --help                                  # each command has examples of its own
    """
    if os.environ.get("NO_COLOR"):
        click.get_current_context().color = False


main.help = _as_it_stands(main.help)
