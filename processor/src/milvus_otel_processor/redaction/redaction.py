"""The `redaction` processor at work: a kept trace in, the same without what must not leave out."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from milvus_otel_processor.redaction.redactor import Redactor
from milvus_otel_processor.spans.groups import Group
from milvus_otel_processor.spans.schema import ResourceHeaderView, ScopeHeaderView, SpanView
from milvus_otel_processor.spans.trace import ReferenceTrace

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.redaction.settings import RedactionSettings
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.telemetry.counters import Telemetry


class Redaction:
    """Redacts traces whose spans are all well formed. Calls are serialized by the caller."""

    def __init__(
        self,
        name: str,
        settings: RedactionSettings,
        telemetry: Telemetry,
        *,
        stopwatch: Callable[[], float] = perf_counter,
    ) -> None:
        self._name = name
        self._redactor = Redactor(settings, telemetry.redactions)
        self._telemetry = telemetry
        self._stopwatch = stopwatch

    def redacted(self, trace: Trace) -> Trace:
        """Return a trace with the same spans, redacted; the one given stays as it is."""
        began = self._stopwatch()
        groups = [group.once(self._group) for group in trace.groups]
        redacted = ReferenceTrace(trace.id, groups, [self._span(span) for span in trace.spans], arrived=trace.arrived)
        self._telemetry.stage_seconds[self._name] += self._stopwatch() - began
        return redacted

    def _span(self, encoded: bytes) -> bytes:
        span: Any = SpanView.FromString(encoded)
        self._redactor.attributes(span.attributes)
        for event in span.events:
            self._redactor.attributes(event.attributes)
        for link in span.links:
            self._redactor.attributes(link.attributes)
        if span.status.message:
            span.status.message = self._redactor.text(span.status.message)
        return bytes(span.SerializeToString())

    def _group(self, group: Group) -> Group:
        return redacted_group(group, self._redactor)


def redacted_group(group: Group, redactor: Redactor) -> Group:
    """Return a resource and scope, redacted."""
    resource: Any = ResourceHeaderView.FromString(group.resource)
    redactor.attributes(resource.resource.attributes)
    scope: Any = ScopeHeaderView.FromString(group.scope)
    redactor.attributes(scope.scope.attributes)
    return Group(resource.SerializeToString(), scope.SerializeToString())
