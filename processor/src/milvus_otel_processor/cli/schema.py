"""`milvus-otel schema`: what editors complete and check a configuration by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from milvus_otel_processor.config.builtin import schema_path

if TYPE_CHECKING:
    from milvus_otel_processor.config.builtin import SchemaOf


@click.command("schema")
@click.argument("what", type=click.Choice(["config", "rules", "tests"]))
def command(what: SchemaOf) -> None:
    r"""Print the JSON Schema of a whole configuration, of rules alone, or of tests of rules.

    Editors complete keys and show mistakes as you type when the file's first line names the schema. In VS Code (extension YAML),
    Neovim, Helix and others with yaml-language-server it is the line that `milvus-otel config` begins with.

    \b
    Examples:
      milvus-otel schema config > config.schema.json    # beside processor.yaml, which begins with the line
      milvus-otel schema rules > rules.schema.json      # `# yaml-language-server: $schema=rules.schema.json`
    """
    click.echo(schema_path(what).read_text(encoding="utf-8"), nl=False)
