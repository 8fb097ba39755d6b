"""Makes one record of each Milvus request that came, whatever becomes of its trace, and has it counted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.requests.calls import sort_out
from milvus_otel_processor.requests.kinds import IMPLAUSIBLE, NOT_SERVED, REPEATED
from milvus_otel_processor.requests.record import Record, Series
from milvus_otel_processor.requests.repeated import Repeated
from milvus_otel_processor.requests.times import stage_times
from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.telemetry.faults import FaultLog

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.enrichment.enricher import Known
    from milvus_otel_processor.enrichment.requests import Request
    from milvus_otel_processor.requests.calls import Served, Sorted
    from milvus_otel_processor.requests.counts import Counts
    from milvus_otel_processor.requests.repeated import Repeats
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.groups import Group

_log = logging.getLogger(__name__)

NAME = "milvus requests"
"""What its faults are counted under, among those of the stages."""

_SERVICE_NAME = b"service.name"


Answers = list["int | str"]
"""What calls were counted under: the number of a series, or a kind of calls that are no requests."""


class Looked(NamedTuple):
    """What was found in a trace, and where the time of each of its calls went."""

    trace: Trace
    calls: Sorted
    times: list[tuple[int, ...]]
    """Nanoseconds by stage."""


class Recorder:
    """Sees every trace once, after its decision, and every span that comes later; calls are serialized by the caller.

    `knows` finds the requests of a trace, and what is known of each. `apart` counts calls that are no requests, by what they are.
    """

    def __init__(
        self,
        knows: Callable[[Trace], tuple[Sequence[Request], Sequence[Known | None]]],
        counts: Counts,
        *,
        apart: Counter[str],
        failures: Counter[str],
        clock: Callable[[], float],
    ) -> None:
        self._knows = knows
        self._counts = counts
        self._apart = apart
        self._failures = failures
        failures[NAME] += 0  # else an alert would not see the first
        self._faults = FaultLog(_log, clock)
        self.looked: Looked | None = None
        """The trace that was looked at and not counted yet."""
        self.repeats: Repeats = Repeated()

    def look(self, trace: Trace) -> Looked:
        """Return the calls in a trace; remembered until another trace is looked at. Raises DecodeError at a malformed span."""
        looked = self.looked
        if looked is None or looked.trace is not trace:
            calls = sort_out(trace, *self._knows(trace))
            looked = self.looked = Looked(trace, calls, [_times(trace, one) for one in calls.served])
        return looked

    def see(self, trace: Trace, *, kept: bool) -> Answers | None:
        """Record the requests in a trace that was decided, or in a span that came after that.

        Return what the calls that Milvus served were counted under, where those of another trace of which the same is known would
        be counted alike.
        """
        answers: Answers | None = None
        try:
            try:
                answers = self._see(self.look(trace), kept=kept)
            except DecodeError:
                rest = trace.without_malformed()
                if len(rest):
                    self._see(self.look(rest), kept=kept)
        except Exception as error:  # noqa: BLE001 - to count must cost no span
            self._failures[NAME] += 1
            self._faults.tell(error, "counting the requests of a trace failed: trace_id=%s", trace.id.hex())
        self.looked = None
        return answers

    def _see(self, looked: Looked, *, kept: bool) -> Answers | None:
        answers: Answers = []
        if looked.calls.not_served:
            self._apart[NOT_SERVED] += looked.calls.not_served
        for served, times in zip(looked.calls.served, looked.times, strict=True):
            kind = REPEATED if self.repeats.is_repeated(looked.trace.id, served.span_id) else served.kind
            if kind is not None:
                self._apart[kind] += 1
                answers.append(kind)
                continue
            record = self._record(looked.trace, served, times, kept=kept)
            self._counts.add(record)
            answers.append(record.series)
        return None if REPEATED in answers or IMPLAUSIBLE in answers else answers

    def _record(self, trace: Trace, served: Served, times: tuple[int, ...], *, kept: bool) -> Record:
        facts, collection = (served.known[0], served.known[1]) if served.known is not None else (None, None)
        service = trace.groups[served.caller].once(_service) if served.caller is not None else ""
        series = Series(
            (collection.namespace if collection is not None else facts.namespace if facts is not None else None) or "",
            (collection.name if collection is not None else facts.collection if facts is not None else None) or "",
            served.operation,
            (facts.error_type if facts is not None else None) or "",
            service,
        )
        number = self._counts.series.number(series)
        return Record(number, served.end - served.begin, times, kept, trace.id, served.end)


def _times(trace: Trace, served: Served) -> tuple[int, ...]:
    outside = 0
    if served.caller is not None:
        head = trace.heads[served.caller]
        outside = head.end_time_unix_nano - head.start_time_unix_nano - (served.end - served.begin)
    return stage_times(trace, served.request.spans, served.begin, max(served.begin, served.end), outside)


def _service(group: Group) -> str:
    value = group.resource_attributes.get(_SERVICE_NAME)
    return value.string_value.decode("utf-8", "replace") if value is not None else ""
