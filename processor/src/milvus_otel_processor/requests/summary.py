"""What the windows tell as rows: grouped by keys, with rates, quantiles, stages and shares, for the API, `top` and the demo."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from milvus_otel_processor.requests.cells import Cell
from milvus_otel_processor.requests.hints import hint
from milvus_otel_processor.requests.record import STAGES, Series
from milvus_otel_processor.requests.sketch import RELATIVE_ERROR, quantiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milvus_otel_processor.requests.windows import Window

KEYS: Final = Series._fields
"""What requests can be grouped and filtered by."""
USUAL_KEYS: Final = ("database", "collection", "operation")
SHARES: Final = (0.5, 0.95, 0.99)

_NAMES: Final = ("p50_ms", "p95_ms", "p99_ms")
SORTS: Final = ("total_ms", "requests", "errors", "p50_ms", "p95_ms", "p99_ms", "mean_ms", "kept")
"""What rows can be sorted by, the largest first; the first is the usual one."""
_DIGITS = 3


class Wanted(NamedTuple):
    """Which rows are wanted."""

    by: tuple[str, ...] = USUAL_KEYS
    """Requests with the same values of these keys are one row."""
    sort: str = SORTS[0]
    where: Mapping[str, str] = {}
    """Values that keys have to have."""
    limit: int = 100


def summary(window: Window, wanted: Wanted) -> dict[str, Any]:
    """Return the rows that are asked for, and in `all` what all requests of the window come to; durations are milliseconds.

    `all` is the same whatever is asked for, so that rows can be seen in proportion to it: their shares are of its time.
    """
    cells = window.cells()
    everything = Row({}, window.seconds)
    rows: dict[tuple[str, ...], Row] = {}
    for series, cell in cells.items():
        everything.add(series, cell)
        if all(getattr(series, key) == value for key, value in wanted.where.items()):
            key = tuple(getattr(series, name) for name in wanted.by)
            if key not in rows:
                rows[key] = Row(dict(zip(wanted.by, key, strict=True)), window.seconds)
            rows[key].add(series, cell)
    made = [row.told(everything.cell.seconds) for row in rows.values()]
    made.sort(key=lambda row: (-row[wanted.sort], *(row[key] for key in wanted.by)))
    return {
        "seconds": round(window.seconds, 1),
        "relative_error": RELATIVE_ERROR,
        "stages": list(STAGES),
        "all": everything.told(everything.cell.seconds),
        "rows": made[: wanted.limit],
        "rows_left_out": max(0, len(made) - wanted.limit),
    }


class Row:
    """Requests that belong together, by the keys that they share, in a window of so many seconds."""

    def __init__(self, keys: dict[str, str], seconds: float) -> None:
        self.keys = keys
        self.seconds = seconds
        self.cell = Cell()
        self.errors: Counter[str] = Counter()
        self.operations: defaultdict[str, float] = defaultdict(float)

    def add(self, series: Series, cell: Cell) -> None:
        """Add the requests of one series."""
        self.cell.add(cell)
        if series.error_type:
            self.errors[series.error_type] += cell.requests
        self.operations[series.operation] += sum(cell.times)

    def told(self, all_seconds: float) -> dict[str, Any]:
        """Return the row; its share is of so many seconds."""
        cell = self.cell
        requests = max(1, cell.requests)
        each = [time / requests for time in cell.times]
        return {
            **self.keys,
            "requests": cell.requests,
            "per_second": round(cell.requests / self.seconds, _DIGITS) if self.seconds > 0 else 0.0,
            "errors": self.errors.total(),
            "errors_by_type": dict(self.errors.most_common()),
            **{name: _ms(value) for name, value in zip(_NAMES, quantiles(cell.bins, SHARES), strict=True)},
            "mean_ms": _ms(cell.seconds / requests),
            "total_ms": _ms(cell.seconds),
            "share": round(cell.seconds / all_seconds, 4) if all_seconds > 0 else 0.0,
            "stages_ms": {stage: _ms(time) for stage, time in zip(STAGES, each, strict=True)},
            "kept": cell.kept,
            "slowest_kept": cell.slowest_kept.hex() if cell.slowest_seconds >= 0 else None,
            "hint": self._hint(each),
        }

    def _hint(self, times: list[float]) -> str | None:
        """Return what it means where one stage took most of the time, said of the operation that took most of it."""
        return hint(max(self.operations, key=self.operations.__getitem__), times) if self.operations else None


def _ms(seconds: float) -> float:
    return round(1000 * seconds, _DIGITS)
