"""The settings of the `otlp` receiver."""

from __future__ import annotations

from pydantic import Field

from milvus_otel_processor.settings import Address, Settings


class ServerTlsSettings(Settings):
    """How the receiver secures its connections (the Collector's `configtls`, server side)."""

    cert_file: str = Field(min_length=1, description="PEM file of the receiver's own certificate.")
    key_file: str = Field(min_length=1, description="PEM file of the key of `cert_file`.")
    client_ca_file: str | None = Field(
        default=None,
        description="PEM file of the authority whose certificates senders have to show; without it none is asked for.",
    )


class GrpcSettings(Settings):
    """The gRPC protocol of the `otlp` receiver."""

    endpoint: Address = Field(default="127.0.0.1:4317", description="host:port to listen on.")
    max_recv_msg_size_mib: int = Field(default=64, gt=0, description="The largest request that is taken; MiB.")
    tls: ServerTlsSettings | None = Field(default=None, description="Take TLS alone; without it, plain text alone.")


class ProtocolsSettings(Settings):
    """The protocols of the `otlp` receiver."""

    grpc: GrpcSettings = Field(description="OTLP over gRPC, the only protocol here.")


class ReceiverSettings(Settings):
    """Where spans come in."""

    protocols: ProtocolsSettings = Field(description="The protocols to listen with.")
