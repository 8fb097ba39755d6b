"""The bodies of the records in a log request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.spans.schema import LogsRequestView

if TYPE_CHECKING:
    from collections.abc import Iterator


def bodies(request: bytes) -> Iterator[str]:
    """Iterate over the texts in a serialized ExportLogsServiceRequest. Raises DecodeError where it is not valid protobuf."""
    for resource_logs in LogsRequestView.FromString(request).resource_logs:
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                yield record.body.string_value.decode("utf-8", "replace")
