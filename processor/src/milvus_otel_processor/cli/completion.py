"""`milvus-otel completion`: what makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_PROGRAM = "milvus-otel"
_VARIABLE = "_MILVUS_OTEL_COMPLETE"
_BASH_END = "\n    return 0\n"
_GO_ON = "\n    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
"""For bash: what ends with an equals sign is not the end of a word."""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    r"""Print a script that makes SHELL complete commands, options and their values.

    \b
    Examples:
      eval "$(milvus-otel completion bash)"                                        # in ~/.bashrc
      eval "$(milvus-otel completion zsh)"                                         # in ~/.zshrc
      milvus-otel completion fish > ~/.config/fish/completions/milvus-otel.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    source = found(click.Command(_PROGRAM), {}, _PROGRAM, _VARIABLE)
    script = source.source_template % source.source_vars()  # `source` itself asks the shell for its version first
    click.echo(script.replace(_BASH_END, _GO_ON + _BASH_END))
