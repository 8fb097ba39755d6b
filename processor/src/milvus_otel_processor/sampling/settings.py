"""Settings of the `tail_sampling` processor: the Collector's own block."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from milvus_otel_processor.sampling.policies import Policy
from milvus_otel_processor.sampling.probabilities import check_probabilities
from milvus_otel_processor.sampling.remarks import remarks_on
from milvus_otel_processor.sampling.shadow import SHADOW, check_shadows
from milvus_otel_processor.settings import ComponentId, Duration, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIB = 1024 * 1024


class DecisionCacheSettings(Settings):
    """How many decisions are remembered for spans that arrive after them."""

    sampled_cache_size: int = Field(
        default=50_000,
        ge=0,
        description="How many ids of sampled traces to remember; 0 turns this off. The Collector's default is 0.",
    )
    non_sampled_cache_size: int = Field(
        default=100_000,
        ge=0,
        description="How many ids of traces that were not sampled to remember; 0 turns this off. The Collector's default is 0.",
    )


class TailSamplingSettings(Settings):
    """The Collector's `tail_sampling` block."""

    decision_wait: Duration = Field(
        default=30.0, description="How long a trace is collected before it is decided, counted from its first span."
    )
    decision_wait_after_root_received: Duration = Field(
        default=0.0,
        description="If not 0s: a trace is decided this long after its root span arrived, if that is sooner.",
    )
    num_traces: int = Field(
        default=50_000,
        gt=0,
        description="How many traces may wait for their decision. When there are more, the oldest are decided early.",
    )
    expected_new_traces_per_sec: int = Field(
        default=0, ge=0, description="Accepted and ignored, with a warning: no memory is allocated ahead here."
    )
    decision_cache: DecisionCacheSettings = Field(
        default=DecisionCacheSettings(), description="Decisions that are remembered, so that late spans follow them."
    )
    sample_on_first_match: bool = Field(
        default=False,
        description="Stop at the first policy that samples a trace. Policies with a memory behind it, such as rate limits, then do "
        "not count the trace. Also, a trace is decided at once when a policy samples it whatever else arrives, unless a `drop` "
        "policy could still drop it.",
    )
    block_on_overflow: bool = Field(
        default=False,
        description="Accepted and ignored, with a warning: traces beyond `num_traces` are decided early, and never dropped unseen.",
    )
    sampling_strategy: Literal["trace-complete", "span-ingest"] = Field(
        default="trace-complete",
        description="`span-ingest` is accepted and ignored, with a warning: decisions are made over whole traces.",
    )
    maximum_trace_size_bytes: int = Field(
        default=0,
        ge=0,
        description="Bytes. A trace that grows beyond this is decided at once, by the policies, and its later spans follow that "
        "decision. 0 means no limit.",
    )
    max_memory_mib: int = Field(
        default=0,
        ge=0,
        description="MiB. How much memory waiting traces may take. When they take more, the oldest are decided early. 0 means no "
        "limit. Not in the Collector.",
    )
    decision_wait_after_complete: Duration = Field(
        default=0.0,
        description="If not 0s: a trace is decided when its root and the parent of every span have arrived, and nothing more has "
        "for this long. If no root has come, the one span whose parent is missing counts as the root. Milvus' C++ core sends its "
        "spans every 5s: with less than that, traces are decided without them. Not in the Collector.",
    )
    num_shards: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Accepted and ignored, with a warning: one thread decides. (From the Collector's v0.159.)",
    )
    adjusted_counts: bool = Field(
        default=False,
        description="Write into the trace state of each kept span with which probability it was kept: `ot=th:…`, OpenTelemetry's "
        "threshold. Traces that arrive with `rv` or `th` are then sampled by their own random number, as with the Collector's "
        "feature gate `processor.tailsamplingprocessor.usetracestate`.",
    )
    tail_storage: ComponentId | None = Field(
        default=None,
        description="The id of a `file_storage` extension: requests are then on disk before they are acknowledged, and stay there "
        "until what they hold is decided and exported. Without it they are in memory alone.",
    )
    drop_pending_traces_on_shutdown: bool = Field(
        default=False, description="When the processor stops, drop the traces that still wait, without a decision."
    )
    policies: list[Policy] = Field(
        min_length=1, description="The rules. A trace is kept when one of them samples it and no `drop` policy matches."
    )

    def notes(self) -> list[str]:
        """Return what means nothing here or can never matter, each behind its path."""
        policies = remarks_on(self.policies, stops=self.sample_on_first_match)
        return [*self._for_the_collectors_sake(), *self._waits_and_limits(), *policies]

    def _for_the_collectors_sake(self) -> Iterator[str]:
        if self.block_on_overflow:
            yield (
                "block_on_overflow: is ignored: beyond num_traces the oldest traces are decided early by the policies, "
                "while the sender waits"
            )
        if self.expected_new_traces_per_sec:
            yield "expected_new_traces_per_sec: is ignored: no memory is allocated ahead"
        if self.sampling_strategy == "span-ingest":
            yield "sampling_strategy: span-ingest is ignored: decisions are made over whole traces, as with trace-complete"
        if self.num_shards > 1:
            yield (
                "num_shards: is ignored: one thread decides, and for more run more processors, each with the traces that "
                "the Collector's loadbalancing exporter gives it by their trace id"
            )

    def _waits_and_limits(self) -> Iterator[str]:
        wait = self.decision_wait
        for key in ("decision_wait_after_root_received", "decision_wait_after_complete"):
            sooner = getattr(self, key)
            if sooner and sooner >= wait:
                yield f"{key}: {sooner:g}s is not below decision_wait, {wait:g}s, so that it never comes first"
        size, memory = self.maximum_trace_size_bytes, self.max_memory_mib * _MIB
        if memory and size >= memory:
            yield f"maximum_trace_size_bytes: no trace grows to {size} bytes, because max_memory_mib is reached before"

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        if not all(policy.name for policy in self.policies):
            raise ValueError("policy name cannot be empty")
        counts = Counter(policy.name for policy in self.policies)
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            raise ValueError(f"duplicate policy name {twice[0]!r}")
        return self

    @model_validator(mode="after")
    def _counts_can_be_adjusted(self) -> Self:
        if self.adjusted_counts:
            active = [policy for policy in self.policies if policy.mode != SHADOW]
            check_probabilities(active, sample_on_first_match=self.sample_on_first_match)
        return self

    @model_validator(mode="after")
    def _shadows_are_beside_others(self) -> Self:
        check_shadows(self.policies)
        return self
