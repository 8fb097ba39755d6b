"""Takes in OTLP log requests: the lines that a Collector's `filelog` receiver has read from Milvus' access log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.access_log.changes import CHANGES, WRITES
from milvus_otel_processor.enrichment.access_log.contract import FOREIGN, MALFORMED
from milvus_otel_processor.enrichment.access_log.line import is_foreign, parse, split

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from milvus_otel_processor.enrichment.access_log.contract import LineStore
    from milvus_otel_processor.enrichment.access_log.line import Line

_log = logging.getLogger(__name__)

_SHOWN = 200
_WARNINGS = {
    FOREIGN: "a line of the access log has another format than ours; later ones are only counted. Set proxy.accessLog.formatters "
    "in milvus.yaml for `base`, `query`, `search` and, from Milvus 2.6 on, `upsert`: see docs/enrichment.md. line=%r",
    MALFORMED: "a line of the access log is not whole; later ones are only counted. Set proxy.accessLog.cacheSize in milvus.yaml "
    "to 0, and compare its formatters with docs/enrichment.md. line=%r",
}


class AccessLog:
    """Parses the bodies of log records and puts the lines into the store.

    `changed` is told the database and collection of each request that makes, changes or drops a collection, a part of it or an
    alias, or loads or releases it; `wrote` those of each that changes what is in it. Lines of the catalogue's own requests, by
    their trace id `own`, are left out. `on_lines` is called when lines came.
    """

    def __init__(
        self,
        store: LineStore,
        counts: Counter[str],
        *,
        own: bytes,
        changed: Callable[[str | None, str | None], None],
        wrote: Callable[[str | None, str | None], None] = lambda _database, _collection: None,
        on_lines: Callable[[], object] = lambda: None,
    ) -> None:
        self._store = store
        self._counts = counts
        self._own = own
        self._changed = changed
        self._wrote = wrote
        self._on_lines = on_lines
        self._warned: set[str] = set()

    def memory(self) -> int:
        """Return about how much memory the lines take; bytes."""
        return self._store.size

    def ingest(self, request: bytes) -> None:
        """Take in a serialized ExportLogsServiceRequest. Raises DecodeError where it is not valid protobuf.

        What is not a whole line of our format is counted, and the first of its kind is logged. Of lines that were glued together
        each counts.
        """
        if self._store.ingest(request, self._read, self._tell):
            self._on_lines()

    def _read(self, body: str) -> list[Line]:
        """Return the lines of a record, less those of the catalogue's own requests."""
        lines = []
        for text in split(body):
            line = parse(text)
            if line is None:
                self._refuse(text)
            elif line.trace_id != self._own:
                lines.append(line)
        return lines

    def _tell(self, operation: str | None, namespace: str | None, collection: str | None) -> None:
        if operation in CHANGES:
            self._changed(namespace, collection)
        elif operation in WRITES:
            self._wrote(namespace, collection)

    def _refuse(self, text: str) -> None:
        if not text:
            return
        kind = FOREIGN if is_foreign(text) else MALFORMED
        self._counts[kind] += 1
        if kind not in self._warned:
            self._warned.add(kind)
            _log.warning(_WARNINGS[kind], text[:_SHOWN])
