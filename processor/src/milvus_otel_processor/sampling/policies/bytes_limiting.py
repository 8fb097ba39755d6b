"""`bytes_limiting`: traces as long as there is room for their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.explanation import amount
from milvus_otel_processor.sampling.policies import remarks
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings
from milvus_otel_processor.sampling.policies.rate_limiting import BURST_SECONDS
from milvus_otel_processor.sampling.policies.token_bucket import TokenBucket
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.contract import Trace


class BytesLimitingSettings(Settings):
    """Settings of `bytes_limiting`."""

    bytes_per_second: int = Field(default=0, description="How many bytes may be sampled per second, in the long run.")
    burst_capacity: int = Field(
        default=0,
        description="How many bytes may be sampled at once; a larger trace is never sampled. 0 means twice `bytes_per_second`.",
    )


class BytesLimiting(Evaluator):
    """Samples traces while a bucket has a token for each of their bytes.

    The bytes are those of the trace in one request, as it would be exported: spans, and around them each resource and scope
    once. The Collector counts a resource anew for each request in which spans of the trace came, leaves schema URLs out, and
    writes some empty fields; the two sizes differ by a few bytes per span.
    """

    stateful = True

    def __init__(self, settings: BytesLimitingSettings, clock: Clock) -> None:
        burst = settings.burst_capacity if settings.burst_capacity > 0 else settings.bytes_per_second * BURST_SECONDS
        self._bucket = TokenBucket(settings.bytes_per_second, burst, clock.monotonic)

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED, and take the tokens, where there is one for each byte."""
        return Decision.SAMPLED if self._bucket.take(trace.request_size) else Decision.NOT_SAMPLED

    def why(self, trace: Trace, decision: Decision) -> str:
        """Return the reason."""
        room = "is" if decision is Decision.SAMPLED else "is no"
        return f"{amount(trace.request_size, 'byte')}, and there {room} room for them at this rate"


class BytesLimitingPolicy(PolicySettings):
    """Traces up to a number of bytes per second."""

    type: Literal["bytes_limiting"]
    bytes_limiting: BytesLimitingSettings

    def remarks(self) -> Iterator[str]:
        """Yield a rate that lets nothing through."""
        limit = self.bytes_limiting
        yield from remarks.of_rate(limit.bytes_per_second, limit.burst_capacity, "bytes", path="bytes_limiting")

    def constant(self) -> bool | None:
        """Return False where nothing is let through."""
        return False if self.bytes_limiting.bytes_per_second <= 0 and self.bytes_limiting.burst_capacity <= 0 else None

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:
        """Return the evaluator that these settings describe."""
        return BytesLimiting(self.bytes_limiting, clock)
