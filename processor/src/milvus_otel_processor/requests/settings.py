"""Settings of what is counted of every request."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from milvus_otel_processor.settings import Settings

BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Seconds. Those of OpenTelemetry's conventions for databases
(https://opentelemetry.io/docs/specs/semconv/db/database-metrics/#metric-dbclientoperationduration)."""

STAGE_BUCKETS = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Fewer: there are nine stages for each request, and each bucket is a series in Prometheus."""

_MOST_BUCKETS = 200


class ExplicitSettings(Settings):
    """Buckets with bounds that are written down."""

    buckets: list[float] = Field(
        default=list(BUCKETS),
        description="Their upper bounds, rising; seconds.",
        min_length=1,
        max_length=_MOST_BUCKETS,
    )

    @model_validator(mode="after")
    def _rise(self) -> Self:
        if (
            any(one >= other for one, other in zip(self.buckets, self.buckets[1:], strict=False))
            or self.buckets[0] <= 0
        ):
            raise ValueError("expected buckets that rise from above 0")
        return self


class StageHistogramSettings(Settings):
    """`stages`: how the durations of stages are counted, of which there are up to nine for a request."""

    explicit: ExplicitSettings = Field(
        default=ExplicitSettings(buckets=list(STAGE_BUCKETS)), description="Buckets with written bounds."
    )


class HistogramSettings(Settings):
    """How durations are counted; the keys are those of the Collector's `spanmetrics` connector, but for `stages`."""

    explicit: ExplicitSettings = Field(default=ExplicitSettings(), description="Buckets with written bounds.")
    stages: StageHistogramSettings = Field(
        default=StageHistogramSettings(), description="Likewise, of the stages that requests consist of."
    )


class ExemplarsSettings(Settings):
    """Trace ids beside the buckets."""

    enabled: bool = Field(
        default=True, description="Whether buckets point at the last kept trace with a request that they count."
    )


class RequestsSettings(Settings):
    """`requests`: metrics of all requests, whatever is kept of their traces."""

    enabled: bool = Field(
        default=True, description="Whether every request is counted, and kept ones are told where their time went."
    )
    max_series: int = Field(
        default=2000,
        ge=1,
        le=1_000_000,
        description="How many combinations of database, collection, operation, error and service are told apart; requests of "
        "others are counted together, as collection `otel.metric.overflow`.",
    )
    histogram: HistogramSettings = Field(default=HistogramSettings(), description="How durations are counted.")
    exemplars: ExemplarsSettings = Field(default=ExemplarsSettings(), description="Trace ids beside the buckets.")
