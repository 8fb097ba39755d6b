"""`service.telemetry`: the log, and the metrics: for Prometheus to ask for, or sent by OTLP."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from milvus_otel_processor.settings import Settings, Url


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


class HeaderSettings(Settings):
    """One header of each request."""

    name: str = Field(min_length=1, description="Its name.")
    value: SecretStr = Field(description="Its value.")


class OtlpSettings(Settings):
    """Where metrics are sent by OTLP: the keys of OpenTelemetry's declarative configuration 0.3, as in the Collector."""

    protocol: Literal["grpc", "http/protobuf"] = Field(
        description="`grpc`, usually on port 4317, or `http/protobuf`, usually on port 4318."
    )
    endpoint: Url = Field(
        description="The URL of the receiver: `http://collector:4317`, or with `http/protobuf` the whole "
        "`http://collector:4318/v1/metrics`; `https://` is TLS."
    )
    insecure: bool = Field(
        default=False, description="Send as plain text where `endpoint` has no scheme; with `grpc` only."
    )
    certificate: str | None = Field(
        default=None, description="PEM file of the authority to trust instead of the system's."
    )
    client_certificate: str | None = Field(
        default=None, description="PEM file of our own certificate, where the server asks for one."
    )
    client_key: str | None = Field(default=None, description="PEM file of the key of `client_certificate`.")
    headers: list[HeaderSettings] = Field(default=[], description="Headers sent with each request.")
    compression: Literal["gzip", "none"] = Field(default="none", description="How requests are compressed.")
    timeout: int = Field(default=10_000, gt=0, description="How long a request may take, its retries included; ms.")
    temporality_preference: Literal["cumulative"] = Field(
        default="cumulative",
        description="Counts since the start; the only one here: a request that fails then loses nothing.",
    )
    default_histogram_aggregation: Literal["explicit_bucket_histogram", "base2_exponential_bucket_histogram"] = Field(
        default="explicit_bucket_histogram",
        description="How the durations of Milvus' requests are sent: in the buckets of the semantic conventions, or "
        "exponential, which Prometheus keeps as native histograms.",
    )

    @model_validator(mode="after")
    def _checked(self) -> Self:
        scheme, found, rest = self.endpoint.partition("://")
        if self.protocol == "http/protobuf" and (not found or "/" not in rest):
            raise ValueError(
                f"endpoint: {self.endpoint!r} is not a whole URL; write one such as http://collector:4318/v1/metrics"
            )
        if found and scheme not in ("http", "https"):
            raise ValueError(f"endpoint: {self.endpoint!r} begins with neither http:// nor https://")
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("expected client_certificate and client_key, both or neither")
        return self


class PushExporterSettings(Settings):
    """The exporter of a periodic reader."""

    otlp: OtlpSettings = Field(description="Metrics by OTLP.")


class PeriodicSettings(Settings):
    """A reader that sends by itself; it needs the packages of the extra `metrics`."""

    interval: int = Field(default=60_000, gt=0, description="How long from one request to the next; ms.")
    exporter: PushExporterSettings = Field(description="What it sends with.")


class ReaderSettings(Settings):
    """One way to read the metrics: `pull` or `periodic`."""

    pull: PullSettings | None = Field(default=None, description="Wait to be asked.")
    periodic: PeriodicSettings | None = Field(default=None, description="Send them, again and again.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.pull is None) == (self.periodic is None):
            raise ValueError("expected pull or periodic, one of the two")
        return self


class SpanMetricsSettings(Settings):
    """The requests once more, under the names that the `spanmetrics` connector gives and Jaeger's Monitor page reads."""

    service_name: str = Field(
        default="standalone",
        min_length=1,
        description="The service under which requests of all callers are shown: what Milvus calls itself in its spans, "
        "`standalone`, or `proxy` in a cluster.",
    )


class ResourceAttribute(Settings):
    """One attribute of the resource."""

    name: str = Field(min_length=1, description="Its name.")
    value: str = Field(description="Its value.")


class ResourceSettings(Settings):
    """`service.telemetry.resource`: what the metrics that are sent by OTLP say of who sends them."""

    attributes: list[ResourceAttribute] = Field(
        default=[],
        description="Beside `service.name`, `service.version` and a `service.instance.id` that is new with each start; "
        "one of these names replaces it.",
    )


class MetricsSettings(Settings):
    """`service.telemetry.metrics`: the Collector's block, with the readers that there are here."""

    level: Literal["none", "basic", "normal", "detailed"] = Field(
        default="normal",
        description="`none` turns the metrics off. With `basic`, policies behind the one that samples a trace are not asked how "
        "they would vote. The others are the same here.",
    )
    readers: list[ReaderSettings] = Field(
        default=[], description="Where the metrics can be read, or are sent to; without one, nowhere."
    )
    span_metrics: SpanMetricsSettings | None = Field(
        default=None,
        description="Show the requests also as `traces_span_metrics_*`, for Jaeger's Monitor page; without this block they are "
        "not. Not in the Collector.",
    )

    @property
    def counts_votes(self) -> bool:
        """Whether the votes of policies behind the one that decides are counted."""
        return self.level in {"normal", "detailed"}

    @property
    def endpoints(self) -> list[PrometheusSettings]:
        """Where to listen."""
        return [reader.pull.exporter.prometheus for reader in self._in_force if reader.pull is not None]

    @property
    def pushes(self) -> list[PeriodicSettings]:
        """What to send, and where."""
        return [reader.periodic for reader in self._in_force if reader.periodic is not None]

    @property
    def exponential(self) -> bool:
        """Whether somebody wants the requests' durations as exponential histograms."""
        wanted = "base2_exponential_bucket_histogram"
        return any(push.exporter.otlp.default_histogram_aggregation == wanted for push in self.pushes)

    @property
    def _in_force(self) -> list[ReaderSettings]:
        return [] if self.level == "none" else self.readers
