"""What of a recording is not replayed as it stands, and how that is said."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class LeftOut:
    """Counts what files hold beside whole requests with spans."""

    def __init__(self) -> None:
        self.cut_short: dict[str, str] = {}
        """The last message of a file, where only a part of it is there: by file, what of it there is."""
        self.none_whole: dict[str, str] = {}
        """Files whose first message is not whole: by file, what of it there is, and what was expected."""
        self.other_signals: Counter[tuple[str, str]] = Counter()
        """Requests of other signals, by file and signal."""
        self.old: Counter[str] = Counter()
        """Requests in the OTLP of before 0.15, which are read, by file."""

    def lines(self) -> Iterator[str]:
        """Yield it in words, one line for each file and thing."""
        for file, what in self.cut_short.items():
            yield f"{file}: {what}; it is left out, and what is in front of it was read: is the file still being written?"
        for file, what in self.none_whole.items():
            yield f"{file}: is no recording, or one that has only been begun: {what}"
        for (file, signal), requests in self.other_signals.items():
            yield f"{file}: {_requests(requests)} with {signal} left out: a replay reads only traces"
        for file, requests in self.old.items():
            yield (
                f"{file}: {_requests(requests)} in the OTLP of before 0.15, with instrumentationLibrarySpans, which are read as "
                f"scopeSpans"
            )

    def figures(self) -> dict[str, object]:
        """Return it as JSON has it: requests by what they are."""
        signals: Counter[str] = Counter()
        for (_, signal), requests in self.other_signals.items():
            signals[signal] += requests
        return {"cut_short": len(self.cut_short) + len(self.none_whole), "other_signals": dict(signals)}


def _requests(number: int) -> str:
    return f"{number:,} request{'s' if number != 1 else ''}"
