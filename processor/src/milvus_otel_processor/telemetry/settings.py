"""`service.telemetry`: the log, and the metrics for Prometheus."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from milvus_otel_processor.settings import Settings


class LogsSettings(Settings):
    """`service.telemetry.logs`: what the processor says of itself on stderr."""

    level: Literal["debug", "info", "warn", "error"] = Field(
        default="info", description="The least severe lines to log."
    )
    encoding: Literal["console", "json"] = Field(
        default="console", description="How lines are written: `console`, for people, or `json`, one object on a line."
    )


class PrometheusSettings(Settings):
    """Where Prometheus scrapes."""

    host: str = Field(default="localhost", min_length=1, description="Address to listen on.")
    port: int = Field(ge=0, le=65535, description="Port to listen on.")


class PullExporterSettings(Settings):
    """The exporter of a pull reader."""

    prometheus: PrometheusSettings = Field(description="Metrics in Prometheus' text format, on `/metrics`.")


class PullSettings(Settings):
    """A reader that waits to be asked."""

    exporter: PullExporterSettings = Field(description="What it answers with.")


class ReaderSettings(Settings):
    """One way to read the metrics."""

    pull: PullSettings = Field(description="Wait to be asked; the only way here.")


class MetricsSettings(Settings):
    """`service.telemetry.metrics`: the Collector's block, with the readers that there are here."""

    level: Literal["none", "basic", "normal", "detailed"] = Field(
        default="normal",
        description="`none` turns the metrics off. With `basic`, policies behind the one that samples a trace are not asked how "
        "they would vote. The others are the same here.",
    )
    readers: list[ReaderSettings] = Field(
        default=[], description="Where the metrics can be read; without one, nowhere."
    )

    @property
    def counts_votes(self) -> bool:
        """Whether the votes of policies behind the one that decides are counted."""
        return self.level in {"normal", "detailed"}

    @property
    def endpoints(self) -> list[PrometheusSettings]:
        """Where to listen."""
        return [] if self.level == "none" else [reader.pull.exporter.prometheus for reader in self.readers]
