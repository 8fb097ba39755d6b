"""What can be wrong with a configuration, where it stands, and how it is said."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from milvus_otel_processor.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SHOWN = 60
"""Characters of a wrong value that a message repeats."""
_CREDENTIALS = re.compile(r'(?<=://)[^/?#\s]*@|(?<=")[^/?#\s":]*:[^/?#\s"]*@')
"""A user and a password, as they may stand in a URL."""


@dataclass(frozen=True, order=True)
class Place:
    """Where a value was written: a file and its line, counted from 1, or ``--set key.path``, which has no line."""

    source: str
    line: int | None = None
    column: int | None = field(default=None, compare=False)
    """Counted from 1; None where it is not known."""

    def __str__(self) -> str:
        """Return it as editors and compilers write it."""
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True)
class Problem:
    """One thing to tell the user about, at one place; `path` is the dotted path of the field, empty for a file."""

    place: Place
    path: str
    message: str

    def __str__(self) -> str:
        """Return the one line that the user sees."""
        return self._said(str(self.place))

    def with_column(self) -> str:
        """Return that line with the column behind the line's number, as editors and compilers find it."""
        column = self.place.column
        return self._said(str(self.place) if column is None else f"{self.place}:{column}")

    def _said(self, place: str) -> str:
        path = "" if self.place.source == f"--set {self.path}" else self.path
        text = ": ".join(part for part in (place, path, self.message) if part)
        # keys and values are the user's: a line break in one must not make two lines of a message
        return printable(text)


class ConfigError(Exception):
    """A configuration that cannot be used, with all that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return ``; did you mean "x"?`` for the known name nearest to `word`, and nothing if none is near."""
    names = list(known)
    text = str(word)
    near = difflib.get_close_matches(text.lower(), names, n=1, cutoff=0.6)
    if not near:  # a name cut short, or with a part too many, is far by ratio and still plain to a reader
        near = [name for name in names if len(text) > 2 and (name.startswith(text) or text.startswith(name))]
    return f'; did you mean "{near[0]}"?' if near else ""


def one_of(names: Sequence[str]) -> str:
    """Return the names as the expectation of a message."""
    return "expected " + ("one of " if len(names) > 1 else "") + ", ".join(names)


def shown(value: object) -> str:
    """Return a value as a message repeats it: on one line, cut when it is long, and without what is before the host of a URL."""
    text = _CREDENTIALS.sub("****@", json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
