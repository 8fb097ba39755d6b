"""What `milvus-otel top` shows, and what each key changes about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar
from urllib.parse import urlencode

from milvus_otel_processor.requests.summary import SORTS, USUAL_KEYS
from milvus_otel_processor.requests.windows import MINUTES

if TYPE_CHECKING:
    from collections.abc import Callable

GROUPS: Final = (
    USUAL_KEYS,
    ("database", "collection"),
    ("operation",),
    ("service",),
    ("collection", "operation", "error_type"),
)
"""What the key g goes through."""

HELP: Final = "s sort   w window   g group   / filter   p pause   q quit"

_ENTER, _ESCAPE, _BACKSPACES = ("\r", "\n"), "\x1b", ("\x7f", "\b")
_INTERRUPTS = ("\x03", "\x04")  # Ctrl-C, Ctrl-D
_END = ("q", "Q", *_INTERRUPTS)
_LONGEST_FILTER = 200


class View(NamedTuple):
    """What is shown."""

    minutes: int = 5
    by: tuple[str, ...] = USUAL_KEYS
    sort: str = SORTS[0]
    where: tuple[tuple[str, str], ...] = ()
    """Values that keys have to have, as options say."""
    limit: int = 100
    text: str = ""
    """What one of the keys of a row has to contain, as it was typed."""
    typing: bool = False
    """Whether what is typed goes into `text`."""
    paused: bool = False
    ended: bool = False

    @property
    def path(self) -> str:
        """What is asked of the API."""
        asked = {"minutes": self.minutes, "by": ",".join(self.by), "sort": self.sort, "limit": self.limit}
        return f"/requests?{urlencode({**asked, **dict(self.where)})}"

    def pressed(self, key: str) -> View:
        """Return what is shown after a key was pressed."""
        if self.typing:
            return self._typed(key)
        if key in _END:
            return self._replace(ended=True)
        change = _KEYS.get(key)
        return change(self) if change is not None else self

    def _typed(self, key: str) -> View:
        if key in _ENTER:
            return self._replace(typing=False)
        if key == _ESCAPE:
            return self._replace(typing=False, text="")
        if key in _INTERRUPTS:
            return self._replace(ended=True)
        if key in _BACKSPACES:
            return self._replace(text=self.text[:-1])
        return self._replace(text=(self.text + key)[:_LONGEST_FILTER]) if key.isprintable() else self

    def is_shown(self, row: dict[str, object]) -> bool:
        """Tell whether a row is one of those that the typed text is about."""
        return not self.text or any(self.text.lower() in str(row[key]).lower() for key in self.by)


T = TypeVar("T")


def _after(of: tuple[T, ...], one: T) -> T:
    return of[(of.index(one) + 1) % len(of)] if one in of else of[0]


_KEYS: dict[str, Callable[[View], View]] = {
    "s": lambda view: view._replace(sort=_after(SORTS, view.sort)),
    "w": lambda view: view._replace(minutes=_after(MINUTES, view.minutes)),
    "g": lambda view: view._replace(by=_after(GROUPS, view.by)),
    "/": lambda view: view._replace(typing=True),
    "p": lambda view: view._replace(paused=not view.paused),
    " ": lambda view: view._replace(paused=not view.paused),
    _ESCAPE: lambda view: view._replace(text=""),
}
"""What each key changes."""
