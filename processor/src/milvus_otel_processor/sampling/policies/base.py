"""What every policy has: settings with a name and a type, and an evaluator made from them."""

from __future__ import annotations

from abc import abstractmethod
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, Self

from pydantic import BaseModel, Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from milvus_otel_processor.sampling.decision import Decision
from milvus_otel_processor.sampling.explanation import Explanation
from milvus_otel_processor.sampling.hints.hints import Hints
from milvus_otel_processor.sampling.hints.reads import Reads
from milvus_otel_processor.sampling.thresholds import ALWAYS, UNKNOWN
from milvus_otel_processor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from milvus_otel_processor.spans.contract import Trace

BLOCKS = frozenset(
    {
        "always_sample",
        "and",
        "boolean_attribute",
        "bytes_limiting",
        "collection",
        "composite",
        "drop",
        "dynamic",
        "latency",
        "milvus_error",
        "milvus_latency",
        "milvus_result",
        "not",
        "numeric_attribute",
        "ottl_condition",
        "probabilistic",
        "rate_limiting",
        "span_count",
        "span_name",
        "status_code",
        "string_attribute",
        "trace_flags",
        "trace_state",
    }
)
"""The blocks that may stand in every policy, whatever its type; only that of its type counts, as in the Collector."""


class Clock(NamedTuple):
    """The time, for policies that need it."""

    monotonic: Callable[[], float]
    """Seconds that never run backwards, from any origin."""
    time_ns: Callable[[], int]
    """Nanoseconds since the epoch."""


SYSTEM_CLOCK = Clock(monotonic, time_ns)


class EvaluationError(Exception):
    """A policy cannot answer: for the Collector, too, the trace is then one that this policy did not sample."""


class Evaluator(Hints, Protocol):
    """Decides over one trace at a time."""

    @abstractmethod
    def evaluate(self, trace: Trace) -> Decision:
        """Return SAMPLED or NOT_SAMPLED (a `drop` policy: DROPPED or NOT_SAMPLED).

        The answer depends on the whole trace, never on the order of its spans. Raises DecodeError at a malformed span, and
        EvaluationError where there is no answer.
        """

    label: str = ""
    """The name, or else the type, of the policy that it was made from."""

    def explain(self, trace: Trace) -> Explanation:
        """Return the answer that `evaluate` gives, which is asked once, and why. Raises DecodeError at a malformed span."""
        try:
            decision = self.evaluate(trace)
        except EvaluationError as error:
            return Explanation(Decision.NOT_SAMPLED, f"has no answer: {error}", failed=True)
        return Explanation(decision, self.why(trace, decision))

    def why(self, trace: Trace, decision: Decision) -> str:  # noqa: ARG002
        """Return the reason for this answer about this trace, which was just evaluated, in words."""
        return ""

    def threshold(self, trace: Trace) -> int:  # noqa: ARG002
        """Return the threshold of the probability with which this trace, the last that was evaluated, had to be sampled.

        See `sampling.thresholds`. What does not leave it to chance samples with ALWAYS; of a rate limit it is UNKNOWN.
        """
        return UNKNOWN if self.stateful else ALWAYS


def labelled(policy: PolicySettings, clock: Clock) -> Evaluator:
    """Return the evaluator of a policy, with the name or the type of the policy as its label."""
    evaluator = policy.evaluator(clock)
    evaluator.label = policy.name or str(getattr(policy, "type", ""))
    return evaluator


class AllOf(Evaluator):
    """Asks several evaluators that all have to sample a trace: what `and` and `drop` have in common."""

    def __init__(self, evaluators: list[Evaluator]) -> None:
        self._evaluators = evaluators
        self.stateful = any(evaluator.stateful for evaluator in evaluators)
        self.reads = max((evaluator.reads for evaluator in evaluators), default=Reads.NOTHING)
        # Behind one that does not sample, none is asked: what those in front of one with a memory need, its memory needs too.
        asked_first = next((place for place, one in enumerate(evaluators) if one.stateful), len(evaluators))
        telling = evaluators[: asked_first + 1]
        self.needles = next(filter(None, (one.needles for one in telling)), None)
        self.root_matches = next(filter(None, (one.root_matches for one in telling)), None)
        wanted = [one.wanted for one in telling if one.wanted is not None]
        # A resource is that of many traces, so that one which looks at it would want most of them.
        self.wanted = min(wanted, key=lambda one: one.of_group is not None, default=None)

    def all_sample(self, trace: Trace) -> bool:
        """Tell whether every evaluator samples the trace; the first that does not ends the search."""
        return all(evaluator.evaluate(trace) is Decision.SAMPLED for evaluator in self._evaluators)

    def explain(self, trace: Trace) -> Explanation:
        """Return the answer, and what each evaluator says; behind one that does not sample, those with a memory are not asked."""
        inside: list[tuple[str, Explanation]] = []
        missing: list[str] = []
        failed = False
        for evaluator in self._evaluators:
            if missing and evaluator.stateful:
                answer = Explanation(None, f"because {missing[0]} does not sample the trace")
            else:
                answer = evaluator.explain(trace)
                failed |= answer.failed and not missing  # behind one that does not sample, an error is never met
                if answer.decision is not Decision.SAMPLED:
                    missing.append(evaluator.label)
            inside.append((evaluator.label, answer))
        reason = f"not sampled by {', '.join(missing)}" if missing else "sampled by all of its policies"
        return Explanation(self._decision(sampled=not missing), reason, tuple(inside), failed)

    @abstractmethod
    def _decision(self, *, sampled: bool) -> Decision:
        """Return the answer where all evaluators sample the trace, or not."""


class AskedAttribute(NamedTuple):
    """An attribute that a policy asks for."""

    path: str
    """Where in the policy's YAML it is named."""
    key: str
    type: Literal["string", "number", "boolean"] | None = None
    """What the attribute has to be for the policy to match; None where it may be anything."""


class AskedCollection(NamedTuple):
    """A collection that a policy names; in both texts `*` and `?` may stand for others."""

    name: str
    database: str | None = None


class PolicySettings(Settings):
    """The head of each entry under `policies`."""

    name: str = Field(
        default="",
        description="Name of the policy, in metrics and on kept spans as `tailsampling.policy`. Directly under `policies` it is "
        "required and unique; inside other policies it may be left out.",
    )
    mode: Literal["shadow"] | None = Field(
        default=None,
        description="`shadow`: what the policy would decide is counted, and it decides nothing. Directly under `policies` only.",
    )
    _unused: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="wrap")
    @classmethod
    def _other_blocks_are_unused(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, dict):
            return handler(data)
        unused = tuple(key for key in data if key in BLOCKS and key != data.get("type"))
        settings = handler({key: value for key, value in data.items() if key not in unused} if unused else data)
        settings._unused = unused  # noqa: SLF001 - its own
        return settings

    @abstractmethod
    def evaluator(self, clock: Clock = SYSTEM_CLOCK) -> Evaluator:
        """Return the evaluator that these settings describe."""

    def notes(self) -> list[str]:
        """Return what in this policy, those inside left out, means nothing or can never matter, each behind its path."""
        unused = [f"{block}: is not looked at, the type is {getattr(self, 'type', '')}" for block in self._unused]
        return [*unused, *self.remarks()]

    def remarks(self) -> Iterator[str]:
        """Yield what of the policy's own settings can never matter, whatever the traffic: `path: what is to be said`."""
        yield from ()

    def constant(self) -> bool | None:
        """Return whether every trace is sampled (by `drop`: dropped) or none is; None where that depends on the trace."""
        return None

    def asked_collections(self) -> Iterator[AskedCollection]:
        """Yield the collections that the policy itself, not those inside, names."""
        yield from ()

    def asked(self) -> Iterator[AskedAttribute]:
        """Yield the attributes that the policy itself, not those inside, asks for."""
        yield from ()


def policies_inside(model: object) -> Iterator[PolicySettings]:
    """Yield the policies inside of a policy, at any depth."""
    for value in vars(model).values() if isinstance(model, BaseModel) else ():
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, PolicySettings):
                yield item
            yield from policies_inside(item)


def located(policies: Sequence[PolicySettings], path: str) -> Iterator[tuple[str, PolicySettings]]:
    """Yield these policies and those inside of them, each behind its place in the YAML: `path[0]` and so on."""
    for index, policy in enumerate(policies):
        yield f"{path}[{index}]", policy
        yield from _located_inside(policy, f"{path}[{index}]")


def _located_inside(model: BaseModel, path: str) -> Iterator[tuple[str, PolicySettings]]:
    for name, field in type(model).model_fields.items():
        value, where = getattr(model, name), f"{path}.{field.alias or name}"
        if isinstance(value, PolicySettings):
            yield where, value
        if isinstance(value, BaseModel):
            yield from _located_inside(value, where)
        elif isinstance(value, list):
            yield from located([item for item in value if isinstance(item, PolicySettings)], where)
