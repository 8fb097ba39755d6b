"""`ottl_condition`: traces in which a condition holds for a span or for a span event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.explanation import amount, span_words
from milvus_otel_processor.sampling.hints.needles import Needles
from milvus_otel_processor.sampling.hints.reads import Reads, reads_of
from milvus_otel_processor.sampling.hints.wanted import any_of
from milvus_otel_processor.sampling.ottl.context import EventContext, SpanContext
from milvus_otel_processor.sampling.ottl.errors import ErrorMode, OttlError
from milvus_otel_processor.sampling.policies import remarks
from milvus_otel_processor.sampling.policies.base import (
    SYSTEM_CLOCK,
    AskedAttribute,
    Clock,
    EvaluationError,
    Evaluator,
    PolicySettings,
)
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.sampling.ottl.conditions import Conditions
    from milvus_otel_processor.spans.contract import Trace


class OttlConditionSettings(Settings):
    """Settings of `ottl_condition`."""

    error_mode: ErrorMode = Field(
        default="silent",
        description="What to do when a condition has no answer for a span. `ignore`: it does not hold, and that is logged once. "
        "`silent`: it does not hold. `propagate`: the policy does not sample the trace.",
    )
    span: list[str] = Field(default=[], description="Conditions about spans. One of them has to hold.")
    spanevent: list[str] = Field(default=[], description="Conditions about span events. One of them has to hold.")

    @field_validator("error_mode", mode="before")
    @classmethod
    def _in_lower_case(cls, mode: Any) -> Any:
        return mode.lower() if isinstance(mode, str) else mode

    @model_validator(mode="after")
    def _conditions_compile(self) -> Self:
        if not self.span and not self.spanevent:
            raise ValueError("expected at least one condition under span or spanevent")
        self.conditions(SYSTEM_CLOCK)
        return self

    def conditions(self, clock: Clock) -> tuple[Conditions, Conditions]:
        """Return the conditions about spans and those about span events. Raises CompileError where one is none."""
        from milvus_otel_processor.sampling.ottl.conditions import Conditions  # noqa: PLC0415 - other policies need no parser

        return (
            Conditions(self.span, "span", self.error_mode, clock.time_ns),
            Conditions(self.spanevent, "spanevent", self.error_mode, clock.time_ns),
        )

    def by_context(self) -> tuple[tuple[str, list[str]], ...]:
        """Return the conditions behind what they are about."""
        return ("span", self.span), ("spanevent", self.spanevent)

    def span_attributes(self) -> Iterator[tuple[str, str | None]]:
        """Yield the attributes of spans that are read, each behind the place of its condition; None for any of them."""
        from milvus_otel_processor.sampling.ottl.reads import span_attributes  # noqa: PLC0415 - as above

        for context, conditions in self.by_context():
            for index, condition in enumerate(conditions):
                for key in span_attributes(condition, context):
                    yield f"{context}[{index}]", key


class OttlCondition(Evaluator):
    """Samples traces in which a condition holds for a span or an event."""

    def __init__(self, settings: OttlConditionSettings, clock: Clock) -> None:
        self._span, self._spanevent = settings.conditions(clock)
        self._asks_events = bool(self._spanevent)
        found = [conditions.needle for conditions in (self._span, self._spanevent) if conditions]
        self.wanted = any_of(conditions.wanted for conditions in (self._span, self._spanevent) if conditions)
        keys = [key for _, key in settings.span_attributes()]
        self.reads = max((reads_of(key) if key is not None else Reads.TIMES for key in keys), default=Reads.NOTHING)
        if None not in found:
            self.needles = Needles((frozenset[bytes]().union(*filter(None, found)),))

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where a condition holds; each span is asked about before its events, as in the Collector."""
        try:
            if self._span and not self._asks_events:
                return self._of_spans(trace)
            at = SpanContext(trace)
            for index in range(len(trace)):
                at.move(index)
                if (self._span and self._span.hold(at)) or self._holds_for_an_event(trace, index):
                    return Decision.SAMPLED
        except OttlError as error:
            raise EvaluationError(str(error)) from None
        return Decision.NOT_SAMPLED

    def _of_spans(self, trace: Trace) -> Decision:
        at, hold = SpanContext(trace), self._span.hold
        for index in trace.root_indexes if self._span.root_only else range(len(trace)):
            at.move(index)
            if hold(at):
                return Decision.SAMPLED
        return Decision.NOT_SAMPLED

    def _holds_for_an_event(self, trace: Trace, index: int) -> bool:
        return any(self._spanevent.hold(EventContext(trace, index, event)) for event in trace.events(index))

    def why(self, trace: Trace, decision: Decision) -> str:
        """Return the reason."""
        if decision is not Decision.SAMPLED:
            asked = [amount(len(trace), "span")] if self._span else []
            asked += ["their events"] if self._asks_events else []
            return f"no condition holds for {' or '.join(asked)}"
        at = SpanContext(trace)
        for index in range(len(trace)):
            at.move(index)
            condition = self._span.first(at) if self._span else None
            if condition is None and self._asks_events:
                found = (self._spanevent.first(EventContext(trace, index, event)) for event in trace.events(index))
                condition = next(filter(None, found), None)
            if condition is not None:
                return f"{span_words(trace, index)}: {condition}"
        return ""


class OttlConditionPolicy(PolicySettings):
    """Traces by conditions in the OpenTelemetry Transformation Language."""

    type: Literal["ottl_condition"]
    ottl_condition: OttlConditionSettings

    def remarks(self) -> Iterator[str]:
        """Yield parts of conditions that say the same of every span."""
        from milvus_otel_processor.sampling.ottl.unchanging import unchanging  # noqa: PLC0415 - as above

        for context, conditions in self.ottl_condition.by_context():
            for index, condition in enumerate(conditions):
                for remark in unchanging(condition, context):
                    yield f"ottl_condition.{context}[{index}]: {remark}"
            yield from remarks.of_doubles(conditions, f"ottl_condition.{context}")

    def asked(self) -> Iterator[AskedAttribute]:
        """Yield the attributes of spans that conditions name."""
        for place, key in self.ottl_condition.span_attributes():
            if key is not None:
                yield AskedAttribute(f"ottl_condition.{place}", key)

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:
        """Return the evaluator that these settings describe."""
        return OttlCondition(self.ottl_condition, clock)
