"""The settings of the `otlp` receiver, with the Collector's names (config/configgrpc, configtls, configauth)."""

from __future__ import annotations

from pydantic import Field

from milvus_otel_processor.settings import Address, AuthSettings, Duration, Settings
from milvus_otel_processor.tls import ServerTlsSettings


class ServerParametersSettings(Settings):
    """How long connections live, and how those that have died are found."""

    max_connection_idle: Duration = Field(
        default=600.0, description="How long a connection without any request is kept; 0s is for good; seconds."
    )
    max_connection_age: Duration = Field(
        default=3600.0,
        description="After which a connection's client is told to make a new one; 0s is never; seconds.",
    )
    max_connection_age_grace: Duration = Field(
        default=60.0, description="How long requests under way may then go on; seconds."
    )
    time: Duration = Field(default=60.0, gt=0, description="How long after its last word a client is pinged; seconds.")
    timeout: Duration = Field(default=20.0, gt=0, description="How long the answer to a ping may take; seconds.")


class EnforcementPolicySettings(Settings):
    """How often clients may ping."""

    min_time: Duration = Field(default=5.0, description="Clients that ping more often are sent away; seconds.")
    permit_without_stream: bool = Field(default=True, description="Whether they may while no request is under way.")


class ServerKeepaliveSettings(Settings):
    """The Collector's `keepalive` block."""

    server_parameters: ServerParametersSettings = Field(
        default=ServerParametersSettings(), description="How long connections live."
    )
    enforcement_policy: EnforcementPolicySettings = Field(
        default=EnforcementPolicySettings(), description="How often clients may ping."
    )


class GrpcSettings(Settings):
    """The gRPC protocol of the `otlp` receiver."""

    endpoint: Address = Field(default="127.0.0.1:4317", description="host:port to listen on.")
    max_recv_msg_size_mib: int = Field(
        default=64, gt=0, description="The largest request that is taken, compressed or not; MiB."
    )
    max_concurrent_streams: int = Field(
        default=100, gt=0, description="Requests that may be under way on one connection."
    )
    max_connections: int = Field(
        default=2000,
        gt=0,
        description="Connections at the most; one that says nothing takes up to 20 KiB, for ten seconds. Not in the Collector.",
    )
    read_timeout: Duration = Field(
        default=30.0,
        gt=0,
        description="How long a request may take to arrive, once it was announced. Not in the Collector; seconds.",
    )
    keepalive: ServerKeepaliveSettings = Field(
        default=ServerKeepaliveSettings(), description="How long connections live."
    )
    tls: ServerTlsSettings | None = Field(default=None, description="Take TLS alone; without it, plain text alone.")
    auth: AuthSettings | None = Field(default=None, description="Take requests with a token alone.")


class ProtocolsSettings(Settings):
    """The protocols of the `otlp` receiver."""

    grpc: GrpcSettings = Field(description="OTLP over gRPC, the only protocol here.")


class ReceiverSettings(Settings):
    """Where spans come in."""

    protocols: ProtocolsSettings = Field(description="The protocols to listen with.")

    def notes(self) -> list[str]:
        """Return what of the settings can never matter."""
        parameters = self.protocols.grpc.keepalive.server_parameters
        if not parameters.max_connection_age and "max_connection_age_grace" in parameters.model_fields_set:
            at = "protocols.grpc.keepalive.server_parameters.max_connection_age_grace"
            return [f"{at}: means nothing, because max_connection_age is 0s, so that no connection is too old"]
        return []
