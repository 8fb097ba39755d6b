"""Calls the stages: what they cost is measured, what they fail at is counted, and harms nobody else."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING

from milvus_otel_processor.spans.schema import DecodeError
from milvus_otel_processor.telemetry.faults import FaultLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.pipeline.contracts import Stage
    from milvus_otel_processor.spans.attributes import Encoded
    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.wanted import Wanted
    from milvus_otel_processor.telemetry.counters import Telemetry

_log = logging.getLogger(__name__)


class Stages:
    """The stages that traces pass before their decision, and those that kept ones pass after it."""

    def __init__(
        self,
        before: Sequence[Stage],
        after: Sequence[Stage],
        telemetry: Telemetry,
        clock: Callable[[], float],
        *,
        stopwatch: Callable[[], float] = perf_counter,
    ) -> None:
        self._all = (*before, *after)
        self._before = tuple(before)
        self._after = tuple(after)
        self._telemetry = telemetry
        self._faults = FaultLog(_log, clock)
        self._stopwatch = stopwatch
        last = max((place for place, stage in enumerate(before) if stage.sees_all), default=-1)
        for stage in self._all:
            telemetry.stage_failures[stage.name] += 0  # else an alert would not see the first
        self._always, self._others = self._before[: last + 1], self._before[last + 1 :]

    def start(self) -> None:
        """Start all of them."""
        for stage in self._all:
            stage.start()

    def stop(self, seconds_left: Callable[[], float]) -> None:
        """Stop all of them; one that fails at it is logged, and the others are stopped nevertheless."""
        for stage in self._all:
            try:
                stage.stop(max(0.0, seconds_left()))
            except Exception as error:  # noqa: BLE001 - it may be the user's
                self._failed(stage, error, "stopping the processor %s failed", stage.name)

    def wants(self, *, rules_read: bool) -> list[Wanted] | None:
        """Return what traces have that stages want to see before the decision; None where one of these wants to see all."""
        wanted = [stage.wants(rules_read=rules_read) for stage in self._before]
        some = [one for one in wanted if one is not None]
        return some if len(some) == len(wanted) else None

    def unwanted(self, calls: int) -> None:
        """Tell them of calls in traces that they did not want to see, where rules may read what they add."""
        for stage in self._before:
            stage.unwanted(calls)

    def on_request(self, request: bytes) -> None:
        """Show them a request on its way in."""
        for stage in self._all:
            try:
                stage.on_request(request)
            except Exception as error:  # noqa: BLE001 - a fault must cost no more than the answer
                self._failed(stage, error, "the processor %s failed at a request", stage.name)

    def before_decision(self, trace: Trace, *, rules_read: bool) -> tuple[list[Encoded], Sequence[Stage]]:
        """Show a trace to the stages that have to see it before the rules are asked.

        Return what its late spans are to be given, and the stages that have not seen it: they need to only if it is kept.
        """
        common: list[Encoded] = []
        for stage in self._always:
            self._see(stage, trace, common)
        for place, stage in enumerate(self._others):
            if not (rules_read or stage.has_to_see(trace)):
                return common, self._others[place:]
            self._see(stage, trace, common)
        return common, ()

    def after_decision(self, trace: Trace, left: Sequence[Stage], common: list[Encoded]) -> None:
        """Show a kept trace to the stages that have not seen it."""
        for stage in (*left, *self._after):
            self._see(stage, trace, common)

    def on_late_span(self, trace: Trace) -> None:
        """Show them a late span of a trace that was kept."""
        for stage in self._all:
            try:
                stage.on_late_span(trace)
            except Exception as error:  # noqa: BLE001 - likewise
                self._failed(
                    stage, error, "the processor %s failed at a late span: trace_id=%s", stage.name, trace.id.hex()
                )

    def _see(self, stage: Stage, trace: Trace, common: list[Encoded]) -> None:
        began = self._stopwatch()
        try:
            found = stage.on_trace(trace)
        except DecodeError:
            raise
        except Exception as error:  # noqa: BLE001 - likewise
            found = None
            self._failed(stage, error, "the processor %s failed at a trace: trace_id=%s", stage.name, trace.id.hex())
        self._telemetry.stage_seconds[stage.name] += self._stopwatch() - began
        if found is not None:
            common.append(found)

    def _failed(self, stage: Stage, error: Exception, message: str, *arguments: object) -> None:
        self._telemetry.stage_failures[stage.name] += 1
        self._faults.tell(error, message, *arguments)
