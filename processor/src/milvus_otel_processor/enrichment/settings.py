"""Settings of the `milvus` processor."""

from __future__ import annotations

from pydantic import Field

from milvus_otel_processor.settings import Duration, Settings


class MilvusSettings(Settings):
    """Enrichment of the spans of Milvus requests."""

    uri: str = Field(default="http://localhost:19530", description="Where Milvus is, as pymilvus takes it.")
    wait_duration: Duration = Field(
        default=10.0,
        description="How long a trace is gathered before it is enriched; counts where `tail_sampling`, whose `decision_wait` "
        "does the same, is not in the pipeline; seconds.",
    )
