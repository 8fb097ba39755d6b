"""`probabilistic`: a share of all traces, chosen by a hash of the trace id."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, Clock, Evaluator, PolicySettings
from milvus_otel_processor.sampling.thresholds import NEVER, of_probability
from milvus_otel_processor.settings import Settings
from milvus_otel_processor.spans.fnv import fnv1a
from milvus_otel_processor.spans.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.spans.contract import Trace

_DEFAULT_SALT = "default-hash-seed"  # the Collector's
_MAX_UINT64 = (1 << 64) - 1
_HASH_BITS_LEFT_OUT = 8  # of 64
_PERCENT = 100


class ProbabilisticSettings(Settings):
    """Settings of `probabilistic`."""

    sampling_percentage: float = Field(
        default=0.0,
        description="How many traces of a hundred are sampled: 0 is none, 100 is all.",
    )
    hash_salt: str = Field(
        default="",
        description="Mixed into the hash of the trace id. Samplers with the same salt choose the same traces.",
    )


class Probabilistic(Evaluator):
    """Samples the traces whose id hashes below a threshold: with the same salt the same traces as the Collector.

    The hash is FNV-1a with 64 bits over the salt and the 16 bytes of the trace id, the threshold the share of the greatest
    64-bit number (tailsamplingprocessor/internal/sampling/probabilistic.go, v0.158).
    """

    reads = Reads.NOTHING
    lasting = True

    def __init__(self, settings: ProbabilisticSettings) -> None:
        self._percentage = settings.sampling_percentage
        self._basis = _basis(settings.hash_salt)
        self._threshold = threshold(settings.sampling_percentage / _PERCENT)
        self.wanted = Wanted(hashes=((self._basis, self._threshold),))
        self._opentelemetry_threshold = of_probability(settings.sampling_percentage / _PERCENT)

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where the hash of the trace id is not above the threshold.

        A trace with a random number of its own is decided by that (`EvaluateWithThreshold` in the file named above).
        """
        if trace.randomness is not None:
            return Decision.SAMPLED if trace.randomness >= self._opentelemetry_threshold else Decision.NOT_SAMPLED
        return Decision.SAMPLED if trace.id_hash(self._basis) <= self._threshold else Decision.NOT_SAMPLED

    def threshold(self, trace: Trace) -> int:  # noqa: ARG002
        """Return the threshold of `sampling_percentage`."""
        return self._opentelemetry_threshold

    def why(self, trace: Trace, decision: Decision) -> str:  # noqa: ARG002
        """Return the reason."""
        wanted = f"{self._percentage:g} %"
        if trace.randomness is not None:
            drawn = 100 * (1 - trace.randomness / NEVER)
            return f"random number of the trace state at {drawn:.4g} %, sampled up to {wanted}"
        drawn = 100 * trace.id_hash(self._basis) / _MAX_UINT64
        return f"hash of the trace id at {drawn:.4g} %, sampled up to {wanted}"


def randomness(trace_id: bytes, hash_salt: str) -> int:
    """Return the hash of a trace id as a random number of 56 bits: the greater, the sooner the trace is sampled.

    For policies that are to choose among the traces that `probabilistic` chooses.
    """
    return (_MAX_UINT64 - fnv1a(trace_id, _basis(hash_salt))) >> _HASH_BITS_LEFT_OUT


@cache
def _basis(hash_salt: str) -> int:
    return fnv1a((hash_salt or _DEFAULT_SALT).encode())


def threshold(ratio: float) -> int:
    """Return the greatest hash that is sampled: `ratio` of the greatest 64-bit number, rounded as the Collector does.

    The Collector multiplies with Go's big.Float of 64 bits, to the nearest and to even at a tie, and cuts off the fraction.
    """
    product = Fraction(_MAX_UINT64) * Fraction(max(ratio, 0.0))
    if product >= _MAX_UINT64:
        return _MAX_UINT64
    # A number below 2**n has 64 - n binary digits left behind the point.
    digits = 64 - int(product).bit_length()
    return int(Fraction(round(product * (1 << digits)), 1 << digits))


class ProbabilisticPolicy(PolicySettings):
    """A share of all traces, the same ones at every layer that uses the same salt."""

    type: Literal["probabilistic"]
    probabilistic: ProbabilisticSettings

    def remarks(self) -> Iterator[str]:
        """Yield a percentage that is none of 1 to 100."""
        percentage = self.probabilistic.sampling_percentage
        where = "probabilistic.sampling_percentage"
        if "sampling_percentage" not in self.probabilistic.model_fields_set:
            yield f"{where}: is 0 where it is not set, so that no trace is sampled"
        elif percentage <= 0:
            yield f"{where}: {percentage:g} samples no trace"
        elif percentage > _PERCENT:
            yield f"{where}: {percentage:g} is more than 100, and samples every trace, as 100 does; expected 0 to 100"

    def constant(self) -> bool | None:
        """Return False for a percentage of 0 or less, True for one of 100 or more."""
        percentage = self.probabilistic.sampling_percentage
        return False if percentage <= 0 else True if percentage >= _PERCENT else None

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:  # noqa: ARG002
        """Return the evaluator that these settings describe."""
        return Probabilistic(self.probabilistic)
