"""A receiver's door for tests: open to all, until it is told otherwise."""

from milvus_otel_processor.receiver.exports import RefusedForNowError
from milvus_otel_processor.telemetry.counters import Refused


class Door:
    """Counts what is reserved; `closed` makes it refuse for want of memory."""

    def __init__(self, *, room: int = 1 << 40) -> None:
        self.closed = False
        self.room = room
        self.reserved = 0
        self.most_reserved = 0
        self.in_danger = False

    def is_authenticated(self, metadata: tuple[tuple[str, str | bytes], ...]) -> bool:
        del metadata
        return True

    def check(self) -> None:
        if self.closed:
            raise RefusedForNowError(Refused.MEMORY_LIMIT, "the memory limit is reached")

    def reserve(self, size: int) -> bool:
        if self.reserved + size > self.room:
            return False
        self.reserved += size
        self.most_reserved = max(self.most_reserved, self.reserved)
        return True

    def could_ever_take(self, size: int) -> bool:
        return size <= self.room

    def release(self, size: int) -> None:
        self.reserved -= size
