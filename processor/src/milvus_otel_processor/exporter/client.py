"""One OTLP/gRPC connection: requests out as bytes."""

from __future__ import annotations

from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

import grpc

from milvus_otel_processor.exporter.signal import SPANS
from milvus_otel_processor.spans.schema import DecodeError, ResponseView

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from milvus_otel_processor.exporter.settings import ExporterSettings, KeepaliveSettings
    from milvus_otel_processor.spans.schema import PartialSuccess
    from milvus_otel_processor.tls import ClientCertificates

_SAID_BY_THE_PEER = frozenset(grpc.StatusCode) - {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNAVAILABLE,
}
"""What a request ends with when there was an answer; the others may be gRPC's own, of a peer that said nothing."""

_COMPRESSION = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}


class Client:
    """Sends serialized requests to one endpoint: ExportTraceServiceRequests, or those of another `method`.

    `token` returns the header with the token that is to be shown, if any. Raises CertificateError where a file of the TLS settings
    cannot be read.
    """

    def __init__(
        self,
        settings: ExporterSettings,
        token: Callable[[], tuple[str, str]] | None = None,
        *,
        clock: Callable[[], float] = monotonic,
        method: str = SPANS.method,
    ) -> None:
        self._method = method
        self._clock = clock
        self._heard_at = self._connected_at = clock()
        self._timeout = settings.timeout or None
        self._token = token
        self.replace_headers(settings.headers)
        self._settings = settings
        self._lock = Lock()
        self._certificates = settings.tls.certificates()
        self._channels: list[grpc.Channel] = []
        self._connect()

    def send(self, request: bytes) -> PartialSuccess | None:
        """Send a request and return what the peer rejected of it, if anything. Raises grpc.RpcError where it failed."""
        metadata = self._headers if self._token is None else (*self._headers, self._token())
        try:
            answer = self._export(request, timeout=self._timeout, metadata=metadata)
        except grpc.RpcError as error:
            if error.code() in _SAID_BY_THE_PEER:
                self._heard_at = self._clock()
            raise
        self._heard_at = self._clock()
        return _partial_success(answer)

    def leave_silent(self, since: float) -> bool:
        """Make a new connection if no request got an answer since then; tell whether requests go over another one than then."""
        with self._lock:
            if self._heard_at > since:
                return False
            if self._connected_at <= since:
                self._connect()
            return True

    def replace_headers(self, headers: Mapping[str, str]) -> None:
        """Send these headers with each request from now on."""
        self._headers = tuple((key.lower(), value) for key, value in headers.items())

    def renew(self) -> bool:
        """Make a new connection if a certificate's file has changed; tell whether it was made.

        Raises CertificateError where a file cannot be read now; the connection then stays.
        """
        with self._lock:
            certificates = self._settings.tls.certificates()
            if certificates == self._certificates:
                return False
            self._certificates = certificates
            self._connect()
            return True

    def close(self) -> None:
        """Close the connection; requests under way fail with CANCELLED."""
        with self._lock:
            for channel in self._channels:
                channel.close()

    def _connect(self) -> None:
        # Requests may be under way on the one before; that goes when the next one comes.
        for channel in self._channels[:-1]:
            channel.close()
        self._channels = [*self._channels[-1:], _channel(self._settings, self._certificates)]
        self._export = self._channels[-1].unary_unary(self._method)
        self._connected_at = self._clock()


def _partial_success(response: bytes) -> PartialSuccess | None:
    try:
        answer = ResponseView.FromString(response).partial_success
    except DecodeError:  # the peer has taken the spans; what it says beside is only for the log
        return None
    return answer if answer.rejected_spans or answer.error_message else None


def _channel(settings: ExporterSettings, certificates: ClientCertificates) -> grpc.Channel:
    options: list[tuple[str, str | int]] = [
        ("grpc.max_receive_message_length", -1),
        # Else a new channel would go on with the connection of the one before, which has gone silent.
        ("grpc.use_local_subchannel_pool", 1),
        # Back-off between requests is ours; gRPC's own, up to two minutes, would let a peer that is back wait unseen.
        ("grpc.initial_reconnect_backoff_ms", 500),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        *_keepalive(settings.keepalive),
    ]
    compression = _COMPRESSION[settings.compression]
    if settings.tls.insecure or settings.endpoint.startswith("http://"):
        return grpc.insecure_channel(settings.target, options=options, compression=compression)
    if settings.tls.server_name_override is not None:
        options.append(("grpc.ssl_target_name_override", settings.tls.server_name_override))
    return grpc.secure_channel(settings.target, _credentials(certificates), options=options, compression=compression)


def _keepalive(settings: KeepaliveSettings) -> list[tuple[str, str | int]]:
    timeout = int(settings.timeout * 1000)
    options: list[tuple[str, str | int]] = [
        # Also of the pings that go with data: without this a connection that went silent under a request is held for a minute.
        ("grpc.http2.ping_timeout_ms", timeout),
        ("grpc.keepalive_timeout_ms", timeout),
        ("grpc.keepalive_permit_without_calls", int(settings.permit_without_stream)),
    ]
    if settings.time:
        options.append(("grpc.keepalive_time_ms", int(settings.time * 1000)))
    return options


def _credentials(certificates: ClientCertificates) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=certificates.authority,
        private_key=certificates.key,
        certificate_chain=certificates.certificate,
    )
