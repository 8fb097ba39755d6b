"""Settings of the `tail_sampling` processor: the Collector's own block."""

from __future__ import annotations

from collections import Counter
from typing import Literal, Self

from pydantic import Field, model_validator

from milvus_otel_processor.sampling.policies import Policy
from milvus_otel_processor.sampling.probabilities import check_probabilities
from milvus_otel_processor.sampling.remarks import remarks_on
from milvus_otel_processor.sampling.shadow import SHADOW, check_shadows
from milvus_otel_processor.settings import ComponentId, Duration, Settings


class DecisionCacheSettings(Settings):
    """How many decisions are remembered for spans that arrive after them."""

    sampled_cache_size: int = Field(
        default=50_000,
        ge=0,
        description="Trace ids remembered as sampled; 0 turns it off. The Collector's default is 0.",
    )
    non_sampled_cache_size: int = Field(
        default=100_000,
        ge=0,
        description="Trace ids remembered as not sampled or dropped; 0 turns it off. The Collector's default is 0.",
    )


class TailSamplingSettings(Settings):
    """The Collector's `tail_sampling` block."""

    decision_wait: Duration = Field(
        default=30.0, description="How long after its first span a trace is decided; seconds."
    )
    decision_wait_after_root_received: Duration = Field(
        default=0.0,
        description="If not 0s, a trace is decided this long after its root span, if that is sooner; seconds.",
    )
    num_traces: int = Field(
        default=50_000, gt=0, description="How many traces wait at the most; beyond it the oldest are decided early."
    )
    expected_new_traces_per_sec: int = Field(
        default=0, ge=0, description="Accepted for the Collector's sake; nothing is allocated ahead here."
    )
    decision_cache: DecisionCacheSettings = Field(
        default=DecisionCacheSettings(), description="Decisions that late spans follow."
    )
    sample_on_first_match: bool = Field(
        default=False,
        description="The first policy that samples a trace is the last that is asked: policies with a memory behind it, such as "
        "rate limits, are not charged. A trace that a policy samples whatever else arrives is then decided at once, unless it "
        "could still be dropped.",
    )
    block_on_overflow: bool = Field(
        default=False,
        description="Accepted for the Collector's sake: traces beyond `num_traces` are decided early, and never dropped unseen.",
    )
    sampling_strategy: Literal["trace-complete", "span-ingest"] = Field(
        default="trace-complete",
        description="Accepted for the Collector's sake: decisions are made over whole traces.",
    )
    maximum_trace_size_bytes: int = Field(
        default=0,
        ge=0,
        description="A trace that grows beyond this is decided at once, by the policies, and its later spans follow that; "
        "bytes. 0 means no limit.",
    )
    max_memory_mib: int = Field(
        default=0,
        ge=0,
        description="How much memory waiting traces take at the most; beyond it the oldest are decided early; MiB. 0 means no "
        "limit. Not in the Collector.",
    )
    decision_wait_after_complete: Duration = Field(
        default=0.0,
        description="If not 0s, a trace is decided when its root and every span's parent have arrived, and nothing more for "
        "this long. Where no root has come, the one span without its parent counts as such. Milvus' C++ core sends its spans every "
        "5s: less than that decides without them. Not in the Collector.",
    )
    num_shards: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Accepted for the sake of the Collector's v0.159 and newer: one thread decides.",
    )
    adjusted_counts: bool = Field(
        default=False,
        description="Say on each kept span, in its trace state, with which probability it was kept: `ot=th:…`, OpenTelemetry's "
        "threshold. Traces that bring `rv` or `th` are then sampled by their own random number, as with the Collector's "
        "feature gate `processor.tailsamplingprocessor.usetracestate`.",
    )
    tail_storage: ComponentId | None = Field(
        default=None,
        description="The id of a `file_storage` extension: requests are then on disk before they are acknowledged, and stay there "
        "until what they hold is decided and exported. Without it they are in memory alone.",
    )
    drop_pending_traces_on_shutdown: bool = Field(
        default=False, description="Drop, undecided, what waits when the processor stops."
    )
    policies: list[Policy] = Field(
        min_length=1, description="The rules, of which one has to sample a trace to keep it."
    )

    def notes(self) -> list[str]:
        """Return what means nothing here or can never matter, each behind its path: see `sampling.remarks`."""
        return list(remarks_on(self))

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
