"""Takes in OTLP log requests: the lines that a Collector's `filelog` receiver has read from Milvus' access log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.access_log.line import parse
from milvus_otel_processor.enrichment.access_log.store import MALFORMED
from milvus_otel_processor.spans.schema import LogsRequestView

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator

    from milvus_otel_processor.enrichment.access_log.store import Store

_log = logging.getLogger(__name__)

_SHOWN = 200
_CHANGES = frozenset(
    (
        "AlterAlias",
        "AlterCollection",
        "AlterIndex",
        "CreateAlias",
        "CreateCollection",
        "CreateDatabase",
        "CreateIndex",
        "CreatePartition",
        "DropAlias",
        "DropCollection",
        "DropDatabase",
        "DropIndex",
        "DropPartition",
        "LoadCollection",
        "LoadPartitions",
        "ReleaseCollection",
        "ReleasePartitions",
        "RenameCollection",
    )
)


class AccessLog:
    """Parses the bodies of log records and puts the lines into the store.

    `changed` is told the database and collection of each request that makes, changes or drops a collection, a part of it or an
    alias, or loads or releases it. Lines of the catalogue's own requests, by their trace id `own`, are left out.
    """

    def __init__(
        self,
        store: Store,
        counts: Counter[str],
        *,
        own: bytes,
        changed: Callable[[str | None, str | None], None],
    ) -> None:
        self._store = store
        self._counts = counts
        self._own = own
        self._changed = changed
        self._warned = False

    def ingest(self, request: bytes) -> None:
        """Take in a serialized ExportLogsServiceRequest. Raises DecodeError where it is not valid protobuf.

        A record that is not a line of our format is counted, and the first of them is logged.
        """
        lines = []
        for body in _bodies(request):
            line = parse(body)
            if line is None:
                self._refuse(body)
            elif line.trace_id != self._own:
                lines.append(line)
                if line.method in _CHANGES and line.facts.error_type is None:
                    self._changed(line.facts.namespace, line.facts.collection)
        self._store.add(lines)

    def _refuse(self, body: str) -> None:
        self._counts[MALFORMED] += 1
        if not self._warned:
            self._warned = True
            _log.warning(
                "a log record is not a whole line of the access log; later ones are only counted. Compare "
                "proxy.accessLog.formatters.base.format in milvus.yaml with docs/enrichment.md: record=%r",
                body[:_SHOWN],
            )


def _bodies(request: bytes) -> Iterator[str]:
    for resource_logs in LogsRequestView.FromString(request).resource_logs:
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                yield record.body.string_value.decode("utf-8", "replace")
