"""Settings of the `otlp` exporter, with the Collector's names (config/configgrpc, exporterhelper)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from milvus_otel_processor.settings import AuthSettings, Duration, Settings, Target
from milvus_otel_processor.tls import ClientTlsSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

# What gRPC sends as metadata; it fails at others with every request. Names that end in -bin have no text for a value.
_HEADER_NAME = re.compile(r"(?!grpc-)[0-9a-z_.-]+(?<!-bin)")
_HEADER_VALUE = re.compile(r"[ -~]*")


class TlsSettings(ClientTlsSettings):
    """How the connection is secured (the Collector's `configtls`)."""

    insecure: bool = Field(default=False, description="Send as plain text.")


class BatchSettings(Settings):
    """How kept spans are gathered into requests."""

    flush_timeout: Duration = Field(default=0.2, description="How long a span waits for others to go with it; seconds.")
    min_size: int = Field(default=8192, gt=0, description="Spans with which a request goes out at once.")
    max_size_mib: int = Field(
        default=4,
        gt=0,
        description="What makes more is sent as several requests; gRPC servers take no larger ones unless told to; MiB.",
    )


class QueueSettings(Settings):
    """What waits to be sent."""

    num_consumers: int = Field(default=4, gt=0, description="How many requests are under way at once.")
    queue_size: int = Field(
        default=200_000,
        gt=0,
        description="Spans that wait, those under way included; from there on decisions wait for room. What was decided before "
        "that is known still goes in, so a few more may wait.",
    )
    batch: BatchSettings = Field(default=BatchSettings(), description="How spans are gathered into requests.")


class RetrySettings(Settings):
    """What happens when a request fails in a way that may pass."""

    enabled: bool = Field(default=True, description="Send again.")
    initial_interval: Duration = Field(default=5.0, description="The first pause; seconds.")
    randomization_factor: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="A pause is between 1 less this and 1 plus this times its length.",
    )
    multiplier: float = Field(default=1.5, ge=1, description="Each pause is this many times the last.")
    max_interval: Duration = Field(default=30.0, description="The longest pause; seconds.")
    max_elapsed_time: Duration = Field(
        default=300.0,
        description="When to give up, counted from the first try; 0s is never, and the default where kept spans are on disk "
        "(`tail_storage`); seconds.",
    )


class KeepaliveSettings(Settings):
    """When a connection that says nothing is given up, and a new one is made."""

    time: Duration = Field(
        default=10.0, description="How long after the last word of the peer it is pinged; 0s is never; seconds."
    )
    timeout: Duration = Field(
        default=5.0, gt=0, description="How long the answer to a ping, or to what was sent, may take; seconds."
    )
    permit_without_stream: bool = Field(default=False, description="Ping while no request is under way, too.")


class ExporterSettings(Settings):
    """Where kept spans go."""

    endpoint: Target = Field(description="host:port of an OTLP/gRPC receiver, such as Jaeger's port 4317.")
    tls: TlsSettings = Field(default=TlsSettings(), description="How the connection is secured.")
    headers: dict[str, str] = Field(
        default={},
        description="Metadata sent with each request; changes take effect at a reload, for logs at a restart.",
    )
    auth: AuthSettings | None = Field(
        default=None, description="Show a token with each request; its file is read again when it changes."
    )
    compression: Literal["none", "gzip"] = Field(
        default="none",
        description="Of requests; the Collector's default is gzip, which costs more than it saves on one host.",
    )
    timeout: Duration = Field(default=5.0, description="How long one request may take; seconds.")
    keepalive: KeepaliveSettings = Field(
        default=KeepaliveSettings(), description="When a silent connection is given up."
    )
    sending_queue: QueueSettings = Field(default=QueueSettings(), description="What waits to be sent.")
    retry_on_failure: RetrySettings = Field(default=RetrySettings(), description="What happens when a request fails.")

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name.lower()):
                raise ValueError(f"expected a header name of letters, digits, '-', '_' and '.', not {name!r}")
            if not _HEADER_VALUE.fullmatch(value):  # which may be a secret, and is not shown
                raise ValueError(f"expected printable ASCII characters alone as the value of the header {name!r}")
        return headers

    def notes(self) -> list[str]:
        """Return what of the settings can never matter."""
        return [*self._on_the_connection(), *self._on_the_queue(), *self._on_retries()]

    def _on_the_connection(self) -> Iterator[str]:
        secured = self.tls.model_fields_set - {"insecure"}
        plain = "tls.insecure is true" if self.tls.insecure else "the endpoint begins with http://"
        if secured and (self.tls.insecure or self.endpoint.startswith("http://")):
            yield f"tls.{min(secured)}: means nothing, because {plain}, so that plain text is sent"
        if not self.keepalive.time and self.keepalive.permit_without_stream:
            yield "keepalive.permit_without_stream: means nothing, because keepalive.time is 0s, so that nothing is pinged"

    def _on_the_queue(self) -> Iterator[str]:
        size, batch = self.sending_queue.queue_size, self.sending_queue.batch
        if batch.min_size > size and batch.model_fields_set:
            yield (
                f"sending_queue.batch.min_size: {batch.min_size} is more than queue_size, {size}, so that only flush_timeout "
                "and max_size_mib decide when a request goes out"
            )

    def _on_retries(self) -> Iterator[str]:
        retry = self.retry_on_failure
        if not retry.enabled:
            if retry.model_fields_set - {"enabled"}:
                yield "retry_on_failure.enabled: is false, so that the other settings of retry_on_failure mean nothing"
            return
        if retry.initial_interval > retry.max_interval:
            yield (
                f"retry_on_failure.initial_interval: {retry.initial_interval:g}s is longer than max_interval, "
                f"{retry.max_interval:g}s, which all pauses but the first have then"
            )
        shortest = retry.initial_interval * (1 - retry.randomization_factor)
        if 0 < retry.max_elapsed_time <= shortest:
            yield (
                f"retry_on_failure.max_elapsed_time: {retry.max_elapsed_time:g}s ends before the first pause of at least "
                f"{shortest:g}s, so that nothing is sent again"
            )

    @property
    def target(self) -> str:
        """The endpoint as gRPC takes it: without a scheme."""
        return self.endpoint.removeprefix("http://").removeprefix("https://")
