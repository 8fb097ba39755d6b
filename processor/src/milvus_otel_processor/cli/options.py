"""What `run` and `validate` have in common: where the configuration comes from."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from milvus_otel_processor.config import ConfigError, LoadedConfig, load_config
from milvus_otel_processor.replay.recording import RecordingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.config import Config

_UNCAPPED_WIDTH = 200

config_option = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration; without it, the one that `milvus-otel config` prints.",
)
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY.PATH=VALUE",
    help="Set one value over what the file says, such as exporters.otlp.endpoint=jaeger:4317. May be given often.",
)


access_log_option = click.option(
    "--access-log",
    "access_logs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Milvus' access log of the same time, which knows collections and errors. May be given often.",
)


def check_access_logs(access_logs: Sequence[Path], config: Config) -> None:
    """Raise RecordingError where access logs are given and nothing in the pipeline reads them."""
    if access_logs and (config.milvus is None or "access_log" not in config.milvus.sources):
        raise RecordingError(
            f"--access-log {access_logs[0]}: means nothing with this configuration; "
            "put the processor milvus with the source access_log into the pipeline"
        )


def console() -> Console:
    """Return where tables for people go: as wide as the terminal, or wide enough where it is a file or a pipe."""
    found = Console(highlight=False, markup=False)
    if not found.is_terminal:
        found.width = _UNCAPPED_WIDTH
    return found


def config_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a subcommand the options `--config` and `--set`, as `path` and `overrides`."""
    return config_option(set_option(command))


def load_or_exit(
    path: Path | None,
    overrides: Sequence[str],
    on_read: Callable[[Path], None] = lambda _: None,
    *,
    rules_alone: bool = False,
) -> LoadedConfig:
    """Return the configuration; if there is none to be had, say all that is wrong and end with status 1.

    `on_read` is called with each file that takes part, right before it is read. With `rules_alone` the file may hold the rules
    and nothing else.
    """
    try:
        return load_config(path, overrides=overrides, environ=os.environ, on_read=on_read, rules_alone=rules_alone)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
