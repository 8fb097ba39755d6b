"""Settings of the `log_sampling` processor."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from milvus_otel_processor.settings import Duration, Settings

KEEP: Final = "keep"
Undecided = Literal["keep", "drop"]


class LogSamplingSettings(Settings):
    """Samples log records with their trace: those of sampled traces go on, those of traces that were not sampled are dropped.

    It needs `tail_sampling` in the pipeline for traces. Not in the Collector, where no processor of logs knows of decisions over
    traces.
    """

    without_trace_id: Undecided = Field(
        default=KEEP, description="What becomes of records that belong to no trace: `keep` or `drop`."
    )
    unknown_trace: Undecided = Field(
        default=KEEP,
        description="Likewise of records whose trace nobody has seen when they have waited as long as they may, or whose decision "
        "is forgotten (`decision_cache`). Records beyond `max_size_mib` count as such, too.",
    )
    additional_wait: Duration = Field(
        default=5.0,
        description="How much longer than `decision_wait` a record waits for a trace of which no span has come; seconds.",
    )
    max_size_mib: int = Field(
        default=32,
        gt=0,
        description="How much memory records may take that wait for their trace, and as much again those that wait to be sent. "
        "Beyond the first the oldest are decided early, beyond the second requests are refused for now; MiB.",
    )
