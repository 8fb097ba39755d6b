"""`rate_limiting`: traces as long as there is room for their spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.explanation import amount
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies import remarks
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings
from milvus_otel_processor.sampling.policies.token_bucket import TokenBucket
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.contract import Trace

BURST_SECONDS = 2
"""How many seconds' worth of the rate a burst may be where nothing else is said, as in the Collector."""


class RateLimitingSettings(Settings):
    """Settings of `rate_limiting`."""

    spans_per_second: int = Field(default=0, description="How many spans may be sampled per second, in the long run.")
    burst_capacity: int = Field(
        default=0,
        description="How many spans may be sampled at once; a trace with more is never sampled. 0 means twice `spans_per_second`.",
    )


class RateLimiting(Evaluator):
    """Samples traces while a bucket has a token for each of their spans."""

    reads = Reads.NOTHING

    stateful = True

    def __init__(self, settings: RateLimitingSettings, clock: Clock) -> None:
        burst = settings.burst_capacity if settings.burst_capacity > 0 else settings.spans_per_second * BURST_SECONDS
        self._bucket = TokenBucket(settings.spans_per_second, burst, clock.monotonic)

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED, and take the tokens, where there is one for each span."""
        return Decision.SAMPLED if self._bucket.take(len(trace)) else Decision.NOT_SAMPLED

    def why(self, trace: Trace, decision: Decision) -> str:
        """Return the reason."""
        room = "is" if decision is Decision.SAMPLED else "is no"
        return f"{amount(len(trace), 'span')}, and there {room} room for them at this rate"


class RateLimitingPolicy(PolicySettings):
    """Traces up to a number of spans per second."""

    type: Literal["rate_limiting"]
    rate_limiting: RateLimitingSettings

    def remarks(self) -> Iterator[str]:
        """Yield a rate that lets nothing through."""
        limit = self.rate_limiting
        yield from remarks.of_rate(limit.spans_per_second, limit.burst_capacity, "spans", path="rate_limiting")

    def constant(self) -> bool | None:
        """Return False where nothing is let through."""
        return False if self.rate_limiting.spans_per_second <= 0 and self.rate_limiting.burst_capacity <= 0 else None

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:
        """Return the evaluator that these settings describe."""
        return RateLimiting(self.rate_limiting, clock)
