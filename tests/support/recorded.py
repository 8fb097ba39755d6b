"""Traffic that was recorded from a real Milvus: see `tests/data/milvus-2.3.5/README.md`."""

from functools import cache
from pathlib import Path

from tests.support.recordings import messages

FOLDER = Path(__file__).parents[1] / "data" / "milvus-2.3.5"
TRACES, SPANS = 1008, 3343
"""How many of them there are in `requests()`."""


@cache
def requests() -> tuple[bytes, ...]:
    """The serialized ExportTraceServiceRequests, in the order in which they came."""
    return tuple(messages((FOLDER / "traces.binpb").read_bytes()))


def access_log_lines() -> list[str]:
    """The lines of Milvus' access log from the same time."""
    return (FOLDER / "access.log").read_text(encoding="utf-8").splitlines()
