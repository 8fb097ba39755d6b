"""`milvus-otel completion`: what makes a shell complete commands and options."""

from __future__ import annotations

import click

from milvus_otel_processor.cli.shells import SHELLS

_PROGRAM = "milvus-otel"
_VARIABLE = "_MILVUS_OTEL_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(list(SHELLS)))
def command(shell: str) -> None:
    r"""Print a script that makes SHELL complete commands, options and their values.

    \b
    Examples:
      eval "$(milvus-otel completion bash)"                                        # in ~/.bashrc
      eval "$(milvus-otel completion zsh)"                                         # in ~/.zshrc
      milvus-otel completion fish > ~/.config/fish/completions/milvus-otel.fish
    """
    source = SHELLS[shell](click.Command(_PROGRAM), {}, _PROGRAM, _VARIABLE)
    click.echo(source.source_template % source.source_vars())  # `source` itself asks the shell for its version first
