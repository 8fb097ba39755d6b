"""How shells complete commands: click's scripts and answers, mended where a shell showed that they go wrong.

- What ends with an equals sign, such as `slow.threshold_ms=`, is not the end of a word: no space comes after it.
- Behind `--policy=` the value is completed as it is behind `--policy `; bash hands that over in three words.
- fish shows a description up to its end, not to its first comma.
- zsh loads its own completion where `~/.zshrc` has not done so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete, add_completion_class

if TYPE_CHECKING:
    from collections.abc import Sequence

_BASH = (("\n    return 0\n", "\n    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n\n    return 0\n"),)
_ZSH_ADD = """\
        local -a open=(${(M)completions:#*=}) whole=(${completions:#*=})
        compadd -U -V unsorted -P "$before" -S '' -a open
        compadd -U -V unsorted -P "$before" -a whole
"""
_ZSH_BEFORE = """\
    local before=""
    [[ ${words[CURRENT]} == --*=* ]] && before="${words[CURRENT]%%%%=*}=" && compset -P 1 '*='
"""
_ZSH = (
    ("    for type key descr", f"{_ZSH_BEFORE}\n    for type key descr"),
    ("        compadd -U -V unsorted -a completions\n", _ZSH_ADD),
    ("    compdef ", "    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }\n    compdef "),
)
_FISH = (
    (
        "    for completion in $response;\n",
        "    set -l before (string match --regex -- '^--[^=]*=' (commandline -t));\n\n    for completion in $response;\n",
    ),
    ('(string split "," $completion)', '(string split --max 1 "," $completion)'),
    (
        "            __fish_complete_directories $metadata[2];\n",
        '            printf "%%s\n" "$before"(__fish_complete_directories $metadata[2]);\n',
    ),
    (
        "            __fish_complete_path $metadata[2];\n",
        '            printf "%%s\\n" "$before"(__fish_complete_path $metadata[2]);\n',
    ),
    ("            echo $metadata[2];\n", '            echo "$before$metadata[2]";\n'),
)


def _mended(template: str, changes: Sequence[tuple[str, str]]) -> str:
    for old, new in changes:  # of a click that writes other scripts they stay as they are
        template = template.replace(old, new)
    return template


class Bash(BashComplete):
    """bash, which takes `=` for a word of its own."""

    source_template = _mended(BashComplete.source_template, _BASH)

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is completed, and that."""
        words, incomplete = super().get_completion_args()
        if incomplete == "=" and words and words[-1].startswith("--"):
            return words, ""
        if len(words) > 1 and words[-1] == "=" and words[-2].startswith("--"):
            return words[:-1], incomplete
        return words, incomplete


class Zsh(ZshComplete):
    """zsh."""

    source_template = _mended(ZshComplete.source_template, _ZSH)


class Fish(FishComplete):
    """fish."""

    source_template = _mended(FishComplete.source_template, _FISH)


SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def use() -> None:
    """Have click answer shells with these."""
    for name, shell in SHELLS.items():
        add_completion_class(shell, name)
