"""Recordings that hold no trace: nothing was tried on them, and no figure of a replay of theirs means anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.replay.recording import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from milvus_otel_processor.telemetry.counters import Snapshot


class NoTraceError(RecordingError):
    """No file holds a trace; the message says so, with what became of spans if there were some."""


def check_traces(files: Iterable[Path], counted: Snapshot) -> None:
    """Raise NoTraceError where no trace of these files was decided."""
    if any(amount.traces for amount in counted.decisions.values()):
        return
    spans = {"refused": counted.refused_spans, "lost": counted.lost_spans}
    reasons = [
        f"{number:,} span{'s' if number != 1 else ''} {word}: {reason}"
        for word, by_reason in spans.items()
        for reason, number in by_reason.items()
        if number
    ]
    raise NoTraceError("; ".join([f"no trace in {', '.join(map(str, files))}", *reasons]))
