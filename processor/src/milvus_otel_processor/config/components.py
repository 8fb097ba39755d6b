"""Settings of the components."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from milvus_otel_processor.settings import Duration, Settings


class GrpcServerSettings(Settings):
    """The gRPC side of the OTLP receiver."""

    endpoint: str = Field("localhost:4317", description="Address to listen on, `host:port`.")
    max_recv_msg_size_mib: int = Field(4, gt=0, description="Largest request in MiB.")


class Protocols(Settings):
    """Protocols of the OTLP receiver."""

    grpc: GrpcServerSettings = Field(default=GrpcServerSettings(), description="OTLP over gRPC.")


class ReceiverSettings(Settings):
    """The OTLP receiver."""

    protocols: Protocols = Field(default=Protocols(), description="What it listens to.")


class TlsSettings(Settings):
    """TLS of a client."""

    insecure: bool = Field(default=False, description="No TLS at all.")
    ca_file: str | None = Field(None, description="Authorities.")


class ExporterSettings(Settings):
    """The OTLP exporter."""

    endpoint: str = Field(description="Where to.")
    tls: TlsSettings = Field(default=TlsSettings(), description="TLS.")
    headers: dict[str, str] = Field(default={}, description="Metadata.")
    timeout: Duration = Field(5.0, description="One attempt.")


class MilvusSettings(Settings):
    """Enrichment."""

    uri: str | None = Field(None, description="Where Milvus is.")


class Latency(Settings):
    """Numbers of the latency policy."""

    threshold_ms: int = Field(description="From this on.")


class LatencyPolicy(Settings):
    """Slow traces."""

    name: str
    type: Literal["latency"]
    latency: Latency


class AlwaysSamplePolicy(Settings):
    """All traces."""

    name: str
    type: Literal["always_sample"]


class Probabilistic(Settings):
    """Numbers of the probabilistic policy."""

    sampling_percentage: float = Field(ge=0)
    hash_salt: str = "default-hash-seed"


class ProbabilisticPolicy(Settings):
    """A share of the traces."""

    name: str
    type: Literal["probabilistic"]
    probabilistic: Probabilistic


class StatusCode(Settings):
    """What the status_code policy wants."""

    status_codes: list[Literal["ERROR", "OK", "UNSET"]]


class StatusCodePolicy(Settings):
    """Traces by status."""

    name: str
    type: Literal["status_code"]
    status_code: StatusCode


class _Matching(Settings):
    enabled_regex_matching: bool = False
    invert_match: bool = False

    @classmethod
    def compiled(cls, values: list[str]) -> list[str]:
        for value in values:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f'bad regular expression "{value}": {error}') from None
        return values


class StringAttribute(_Matching):
    """What the string_attribute policy wants."""

    key: str
    values: list[str]

    @field_validator("values")
    @classmethod
    def _compiled(cls, values: list[str]) -> list[str]:
        return cls.compiled(values)


class StringAttributePolicy(Settings):
    """Traces by attribute."""

    name: str
    type: Literal["string_attribute"]
    string_attribute: StringAttribute


class SpanName(_Matching):
    """What the span_name policy wants."""

    names: list[str]
    root_only: bool = False


class SpanNamePolicy(Settings):
    """Traces by name."""

    name: str
    type: Literal["span_name"]
    span_name: SpanName


SubPolicy = Annotated[
    LatencyPolicy
    | AlwaysSamplePolicy
    | ProbabilisticPolicy
    | StatusCodePolicy
    | StringAttributePolicy
    | SpanNamePolicy,
    Field(discriminator="type"),
]


class And(Settings):
    """Policies that must agree."""

    and_sub_policy: list[SubPolicy]


class AndPolicy(Settings):
    """All of several."""

    name: str
    type: Literal["and"]
    and_: And = Field(alias="and")


class Drop(Settings):
    """Policies that must agree."""

    drop_sub_policy: list[SubPolicy]


class DropPolicy(Settings):
    """Drops."""

    name: str
    type: Literal["drop"]
    drop: Drop


Policy = Annotated[
    LatencyPolicy
    | AlwaysSamplePolicy
    | ProbabilisticPolicy
    | StatusCodePolicy
    | StringAttributePolicy
    | SpanNamePolicy
    | AndPolicy
    | DropPolicy,
    Field(discriminator="type"),
]


class TailSamplingSettings(Settings):
    """Tail sampling."""

    decision_wait: Duration = Field(30.0, description="How long.")
    policies: list[Policy]
