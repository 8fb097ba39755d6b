"""`dynamic`: a number of traces per second, shared by all that differ in a key. A policy of ours."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.hints.reads import reads_of
from milvus_otel_processor.sampling.policies import remarks
from milvus_otel_processor.sampling.policies.base import SYSTEM_CLOCK, AskedAttribute, Clock, Evaluator, PolicySettings
from milvus_otel_processor.sampling.policies.key_budget import KeyBudget
from milvus_otel_processor.sampling.policies.probabilistic import randomness
from milvus_otel_processor.sampling.thresholds import ALWAYS, NEVER, of_probability, probability
from milvus_otel_processor.settings import Duration, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milvus_otel_processor.spans.contract import Trace
    from milvus_otel_processor.spans.schema import AnyValue

_VALUES_LIMIT = 16
"""Different values of one attribute that count in the key of a trace."""
_LENGTH_LIMIT = 256
"""Bytes of a value that count."""
SPAN_NAME, ROOT_NAME = "span.name", "root.name"
"""Keys that stand for names of spans, and for no attribute."""


class DynamicSettings(Settings):
    """Settings of `dynamic`."""

    traces_per_second: float = Field(
        gt=0, description="How many traces to sample per second, all keys together, in the long run."
    )
    keys: list[str] = Field(
        min_length=1,
        description="What makes the key of a trace: attributes, of resources or spans, whose values together are the key, such "
        "as `[db.collection.name, db.operation.name]`; `span.name` stands for the names of its spans, `root.name` for the name "
        "of the span without a parent.",
    )
    adjustment_interval: Duration = Field(
        default=15.0,
        gt=0,
        description="How long the probabilities stay the same before they follow the traffic. Every key is kept at least once in "
        "each interval.",
    )
    weight: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="How much the newest interval counts in the moving average; with 1 the earlier ones are forgotten.",
    )
    max_keys: int = Field(
        default=500, gt=0, description="How many keys are told apart in an interval. All further keys count as one."
    )
    hash_salt: str = Field(default="", description="Mixed into the hash of the trace id, as with `probabilistic`.")


class Dynamic(Evaluator):
    """Samples traces with a probability that depends on how frequent their key is.

    The first trace of each key in an interval is sampled. Others are by a hash of their id, the one that `probabilistic` uses.
    """

    stateful = True

    def __init__(self, settings: DynamicSettings, clock: Clock) -> None:
        self._values = [_reader(key) for key in settings.keys]
        self.reads = max(map(reads_of, settings.keys))
        self._salt = settings.hash_salt
        self._budget = KeyBudget(
            per_second=settings.traces_per_second,
            interval=settings.adjustment_interval,
            weight=settings.weight,
            max_keys=settings.max_keys,
            clock=clock.monotonic,
        )
        self._threshold = ALWAYS

    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED where the trace's random number reaches the threshold of its key."""
        threshold = of_probability(self._budget.probability(self._key(trace)))
        if trace.incoming_threshold:
            # Sampled before, by the same random number: what came has only those above that threshold in it.
            threshold = NEVER - (NEVER - trace.incoming_threshold) * (NEVER - threshold) // NEVER
        self._threshold = threshold
        number = trace.randomness if trace.randomness is not None else randomness(trace.id, self._salt)
        return Decision.SAMPLED if number >= threshold else Decision.NOT_SAMPLED

    def threshold(self, trace: Trace) -> int:  # noqa: ARG002
        """Return the threshold of the key of the trace that was evaluated last."""
        return self._threshold

    def _key(self, trace: Trace) -> tuple[tuple[bytes, ...], ...]:
        """Return the different values of each key, whatever the order of the spans."""
        return tuple(tuple(sorted(set(values(trace)))[:_VALUES_LIMIT]) for values in self._values)

    def why(self, trace: Trace, decision: Decision) -> str:  # noqa: ARG002
        """Return the reason."""
        key = ", ".join(
            "+".join(value.decode("utf-8", "replace") for value in values) or "nothing" for values in self._key(trace)
        )
        return f"key {key}: traces of it are sampled with {100 * probability(self._threshold):.4g} %"


def _reader(key: str) -> Callable[[Trace], Iterator[bytes]]:
    """Return what yields the values of one key in a trace."""
    if key == SPAN_NAME:
        return lambda trace: (head.name[:_LENGTH_LIMIT] for head in trace.heads)
    if key == ROOT_NAME:
        return lambda trace: (head.name[:_LENGTH_LIMIT] for head in trace.roots)
    return partial(_values, key=key.encode())


def _values(trace: Trace, key: bytes) -> Iterator[bytes]:
    for group in trace.distinct_groups:
        if key in group.resource_attributes:
            yield _text(group.resource_attributes[key])
    yield from map(_text, trace.span_values(key))


def _text(value: AnyValue) -> bytes:
    if value.WhichOneof("value") == "string_value":
        return value.string_value[:_LENGTH_LIMIT]
    return value.SerializeToString()[:_LENGTH_LIMIT]


class DynamicPolicy(PolicySettings):
    """A number of traces per second: rare keys kept, frequent ones thinned."""

    type: Literal["dynamic"]
    dynamic: DynamicSettings

    def remarks(self) -> Iterator[str]:
        """Yield keys that no trace has, or that are there twice."""
        for index, key in enumerate(self.dynamic.keys):
            yield from remarks.of_key(key, f"dynamic.keys[{index}]")
        yield from remarks.of_doubles([key for key in self.dynamic.keys if key], "dynamic.keys")

    def asked(self) -> Iterator[AskedAttribute]:
        """Yield the attributes."""
        for index, key in enumerate(self.dynamic.keys):
            if key not in (SPAN_NAME, ROOT_NAME):
                yield AskedAttribute(f"dynamic.keys[{index}]", key)

    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:
        """Return the evaluator that these settings describe."""
        return Dynamic(self.dynamic, clock)
