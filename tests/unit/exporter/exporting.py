"""An exporter that runs, and what it counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from milvus_otel_processor.exporter.exporter import OtlpExporter
from milvus_otel_processor.spans.groups import Group
from milvus_otel_processor.spans.trace import ReferenceTrace
from milvus_otel_processor.telemetry.counters import Snapshot, Telemetry

from tests.peers.waiting import wait_until
from tests.support.peer import (
    Peer,
)
from tests.support.processor import exporter_settings
from tests.support.spans import span
from tests.support.wire import spans_of

GROUP = Group(b"", b"")
SPAN = span().SerializeToString()
GRACE = 10.0


def trace(spans: list[bytes]) -> ReferenceTrace:
    return ReferenceTrace(bytes(16), [GROUP] * len(spans), spans)


class RecordedPauses(Event):
    """Instead of the pauses between tries: keeps how long they were to be, and waits for none of them."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        return self.is_set()


class Exporting:
    """An exporter that runs, and what it counts."""

    def __init__(self, endpoint: str, **settings: object) -> None:
        self.telemetry = Telemetry()
        self.exporter = OtlpExporter(exporter_settings(endpoint, **settings), self.telemetry, random=lambda: 0.5)
        self.pauses = RecordedPauses()
        self.exporter._giving_up = self.pauses

    def put(self, count: int = 1, span: bytes = SPAN) -> None:
        self.exporter.put(trace([span] * count))

    def stop(self, grace: float = GRACE) -> Snapshot:
        self.exporter.stop(grace)
        return self.telemetry.snapshot()

    def settled(self) -> Snapshot:
        """The counters when nothing is queued any more."""
        wait_until(lambda: self.telemetry.snapshot().queued_spans == 0, "the queue to be empty", interval=0.005)
        return self.telemetry.snapshot()


@contextmanager
def exporting(endpoint: str, **settings: object) -> Iterator[Exporting]:
    made = Exporting(endpoint, **settings)
    made.exporter.start()
    try:
        yield made
    finally:
        made.exporter.stop(0.0)


def batches(**settings: object) -> dict[str, object]:
    return {"batch": {"flush_timeout": 0.01, **settings}}


def lengths(found: Peer) -> list[int]:
    return [len(spans_of(request)) for request in found.requests]
