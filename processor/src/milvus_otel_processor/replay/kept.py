"""Where kept spans go in a replay: they are counted, and written to a file if there is one."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from milvus_otel_processor.spans.groups import join_traces

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.telemetry.counters import Telemetry

_SPANS_PER_MESSAGE = 8192  # what the Collector's batch processor makes
_SIZE_BYTES = 4


class KeptSpans:
    """Takes kept spans over as an exporter does; `file` gets them as the Collector's file exporter writes them, `format: proto`."""

    def __init__(self, telemetry: Telemetry, file: IO[bytes] | None = None) -> None:
        self._telemetry = telemetry
        self._file = file
        self._batch: list[Trace] = []
        self._spans = 0
        self.bytes = 0
        """Of all kept spans, with what was appended."""
        self.watch: Callable[[Trace], object] | None = None
        """What is told of everything that is kept."""

    def put(self, trace: Trace) -> None:
        """Take the spans of a trace over. Raises OSError where the file cannot be written."""
        self._telemetry.queued(len(trace))
        self._telemetry.exported(len(trace))
        self.bytes += trace.size
        if self.watch is not None:
            self.watch(trace)
        if self._file is not None:
            self._batch.append(trace)
            self._spans += len(trace)
            if self._spans >= _SPANS_PER_MESSAGE:
                self.flush()

    def flush(self) -> None:
        """Write what has not been written. Raises OSError where the file cannot be written."""
        if self._file is not None and self._batch:
            request = join_traces(self._batch)
            self._file.write(len(request).to_bytes(_SIZE_BYTES, "big") + request)
            self._batch.clear()
            self._spans = 0
