"""`requests`: all requests of the last minutes, kept or not, by collection or what else is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from milvus_otel_processor.page.asked import ApiError
from milvus_otel_processor.requests.summary import KEYS, SORTS, USUAL_KEYS, Wanted, summary
from milvus_otel_processor.requests.windows import MINUTES

if TYPE_CHECKING:
    from milvus_otel_processor.page.asked import Asked
    from milvus_otel_processor.requests.windows import Windows

USUAL_MINUTES = 5
_MOST_ROWS = 10_000
QUERY = ("minutes", "by", "sort", "limit", *KEYS)
"""The parameters; a key is a filter."""


def all_requests(asked: Asked, windows: Windows) -> dict[str, Any]:
    """Return the rows that are asked for; see `requests.summary`. Raises ApiError where that is not to be understood."""
    minutes = int(asked.one_of("minutes", tuple(map(str, MINUTES))) or USUAL_MINUTES)
    wanted = Wanted(
        by=_keys(asked),
        sort=asked.one_of("sort", SORTS) or SORTS[0],
        where={key: asked.query[key] for key in KEYS if key in asked.query},
        limit=int(asked.number("limit", 100, 1, _MOST_ROWS)),
    )
    return {"minutes": minutes, "by": list(wanted.by), "sort": wanted.sort, **summary(windows.over(minutes), wanted)}


def _keys(asked: Asked) -> tuple[str, ...]:
    keys = tuple(dict.fromkeys(asked.text("by", ",".join(USUAL_KEYS)).replace(" ", "").split(",")))
    for key in keys:
        if key not in KEYS:
            raise ApiError(
                400, f"by: {key[:60]!r}, expected one or more of {', '.join(KEYS)}, with commas between them"
            )
    return keys
