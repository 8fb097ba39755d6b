"""Records of requests, made up."""

from milvus_otel_processor.requests.record import STAGES, Record, Series

NONE = (0.0,) * len(STAGES)


def series(collection: str = "orders", operation: str = "Search", error: str = "", service: str = "shop") -> Series:
    return Series("default", collection, operation, error, service)


def times(**seconds: float) -> tuple[float, ...]:
    """Seconds by stage."""
    return tuple(seconds.get(stage, 0.0) for stage in STAGES)


def record(
    of: Series | None = None,
    seconds: float = 0.01,
    spent: tuple[float, ...] = NONE,
    *,
    kept: bool = False,
    trace: int = 1,
) -> Record:
    return Record(of or series(), seconds, spent, kept, trace.to_bytes(16), 0)
