"""What `run` and `validate` have in common: where the configuration comes from."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from milvus_otel_processor.config import ConfigError, LoadedConfig, load_config

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
