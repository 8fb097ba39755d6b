"""`milvus-otel config`: the built-in configuration, to start one's own from."""

from __future__ import annotations

import click

from milvus_otel_processor.config import default_config_text


@click.command("config")
def command() -> None:
    r"""Print the configuration that `run` uses without `--config`, the rules included, as one file.

    Save it, change it, and use it with `milvus-otel run --config FILE`.

    \b
    Examples:
      milvus-otel config > processor.yaml
      milvus-otel schema config > config.schema.json    # so that editors know its keys
    """
    click.echo(default_config_text(), nl=False)
