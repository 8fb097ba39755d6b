"""The last step before the exporter: what must not leave is taken out of log records."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, cast

from milvus_otel_processor.telemetry.faults import FaultLog
from milvus_otel_processor.telemetry.reasons import Lost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.logs.records import Record
    from milvus_otel_processor.pipeline.contracts import Exporter
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.groups import Group
    from milvus_otel_processor.telemetry.log_records import LogTelemetry

_log = logging.getLogger(__name__)


class _Batch:
    """Records as the exporter takes spans: what it asks of a trace is here, and no more."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.groups = [group for group, _ in records]
        self.spans = [encoded for _, encoded in records]
        self.size = sum(map(len, self.spans))

    @property
    def distinct_groups(self) -> frozenset[Group]:
        return frozenset(self.groups)

    def __len__(self) -> int:
        return len(self.spans)


class LogOutlet:
    """Hands records to the exporter; `redact` returns one without what must not leave, and nothing passes it by."""

    def __init__(
        self,
        exporter: Exporter,
        telemetry: LogTelemetry,
        clock: Callable[[], float] = monotonic,
        *,
        redact: Callable[[Record], Record] | None = None,
    ) -> None:
        self._exporter = exporter
        self._telemetry = telemetry
        self._faults = FaultLog(_log, clock)
        self._redact = redact

    def put(self, records: Sequence[Record]) -> None:
        """Export these records, all well formed."""
        if self._redact is not None:
            records = self._redacted(records, self._redact)
        if records:
            self._exporter.put(cast("Trace", _Batch(records)))

    def _redacted(self, records: Sequence[Record], redact: Callable[[Record], Record]) -> Sequence[Record]:
        redacted = []
        for record in records:
            try:
                redacted.append(redact(record))
            except Exception as error:  # noqa: BLE001 - what cannot be redacted must not leave
                self._faults.tell(error, "redacting failed, a log record is lost: bytes=%d", len(record[1]))
                self._telemetry.lost(Lost.FAILED, 1, queued=False)
        return redacted
