"""`trace_state`: traces in which the W3C trace state has one of the given values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling import tracestate
from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.hints.needles import Needles
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies import remarks
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.contract import Trace

_MEMBER_LIMIT = 256  # of key and value together, in bytes; a longer value matches nothing, as in the Collector


class TraceStateSettings(Settings):
    """Settings of `trace_state`."""

    key: str = Field(description="Key in the W3C trace state.")
    values: list[str] = Field(default=[], description="Values. The value at the key has to be one of them.")


class TraceState(Evaluator):
    """Samples traces in which the trace state of a span has one of the values under the key."""

    reads = Reads.NOTHING
    lasting = True

    def __init__(self, settings: TraceStateSettings) -> None:
        self._key = settings.key.encode()
        values = [value.encode() for value in settings.values]
        self.needles = Needles((frozenset((self._key,)),))
        self._values = frozenset(value for value in values if value and len(self._key) + len(value) < _MEMBER_LIMIT)

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where a value is one of those asked for; a trace state that is not valid has none."""
        if trace.may_hold(self._key):
            for state in {head.trace_state for head in trace.heads}:
                members = tracestate.parse(state)
                if members and members.get(self._key) in self._values:
                    return Decision.SAMPLED
        return Decision.NOT_SAMPLED

    def why(self, trace: Trace, decision: Decision) -> str:  # noqa: ARG002
        """Return the reason."""
        if decision is Decision.SAMPLED:
            return f"a trace state has one of the values under `{self._key.decode()}`"
        return f"no trace state has one of the values under `{self._key.decode()}`"


class TraceStatePolicy(PolicySettings):
    """Traces by a member of their trace state."""

    type: Literal["trace_state"]
    trace_state: TraceStateSettings

    def remarks(self) -> Iterator[str]:
        """Yield values that no member of a trace state has."""
        state = self.trace_state
        yield from remarks.of_key(state.key, "trace_state.key")
        yield from remarks.of_texts(state.values, "trace_state.values")
        for index, value in enumerate(state.values):
            if len(state.key.encode()) + len(value.encode()) >= _MEMBER_LIMIT:
                yield f"trace_state.values[{index}]: is longer than a member of a trace state can be, and matches nothing"

    def constant(self) -> bool | None:
        """Return False where no member can match."""
        return None if self.trace_state.key and any(self.trace_state.values) else False

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return TraceState(self.trace_state)
