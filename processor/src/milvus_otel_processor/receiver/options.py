"""What gRPC is told about the receiver's connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from milvus_otel_processor.receiver.settings import GrpcSettings

_MIB = 1024 * 1024
_HANDSHAKE_MILLISECONDS = 10_000  # gRPC's own two minutes are long for clients that connect and say nothing
_WINDOW_BYTES = 256 * 1024
_METADATA_BYTES = 16 * 1024
_ANSWERED = 4
"""For each request that may be under way on a connection, how many may be answered and not yet let go of by Python, which takes
its time on a busy machine. gRPC refuses those that come beyond it, so that what is taken back at once costs little; with its own
bound a sender that keeps within `max_concurrent_streams` gets UNAVAILABLE."""


def server_options(settings: GrpcSettings) -> list[tuple[str, int]]:
    """Return gRPC's channel arguments for these settings."""
    parameters = settings.keepalive.server_parameters
    policy = settings.keepalive.enforcement_policy
    options = [
        ("grpc.max_receive_message_length", settings.max_recv_msg_size_mib * _MIB),
        # We inflate: gRPC would do so before anybody has asked how large it gets.
        ("grpc.per_message_decompression", 0),
        # What arrives before it is asked for lies in gRPC, and nobody counts it; so that is little.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _WINDOW_BYTES),
        ("grpc.experimental.tcp_max_read_chunk_size", _WINDOW_BYTES),
        # Else a second processor on the same port would take half of the spans unseen.
        ("grpc.so_reuseport", 0),
        ("grpc.max_concurrent_streams", settings.max_concurrent_streams),
        ("grpc.http2.max_deallocating_streams", settings.max_concurrent_streams * _ANSWERED),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MILLISECONDS),
        ("grpc.max_metadata_size", _METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", _METADATA_BYTES),
        ("grpc.keepalive_time_ms", _milliseconds(parameters.time)),
        ("grpc.keepalive_timeout_ms", _milliseconds(parameters.timeout)),
        ("grpc.http2.ping_timeout_ms", _milliseconds(parameters.timeout)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _milliseconds(policy.min_time)),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", _milliseconds(policy.min_time)),
        ("grpc.max_connection_age_grace_ms", _milliseconds(parameters.max_connection_age_grace)),
    ]
    if parameters.max_connection_idle:
        options.append(("grpc.max_connection_idle_ms", _milliseconds(parameters.max_connection_idle)))
    if parameters.max_connection_age:
        options.append(("grpc.max_connection_age_ms", _milliseconds(parameters.max_connection_age)))
    return options


def _milliseconds(seconds: float) -> int:
    return min(int(seconds * 1000), (1 << 31) - 1)
