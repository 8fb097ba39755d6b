"""The receiver's certificates, read again when their files change."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

import grpc

from milvus_otel_processor.certificates import CertificateError, check_pair, pem
from milvus_otel_processor.telemetry.paced import PacedLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.tls import ServerTlsSettings

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 1.0


class TlsError(Exception):
    """A file of the TLS settings is not what it should be; the message begins with the name of the setting."""


class ServerCertificates:
    """The certificate, key and authority as they are in their files: a connection that is made after a change gets the new ones.

    Raises TlsError where a file is not what it should be now. Later such a change is logged, and what was there stays.
    """

    def __init__(self, tls: ServerTlsSettings, clock: Callable[[], float] = monotonic) -> None:
        self._tls = tls
        self._clock = clock
        self._next_look = clock() + _SECONDS_BETWEEN_LOOKS
        self._content = self._given = _content(tls)
        self._lock = Lock()
        self._paced = PacedLog(_log, clock)

    def credentials(self) -> grpc.ServerCredentials:
        """Return credentials that follow the files."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration(),
            self._changed,
            require_client_authentication=self._tls.client_ca_file is not None,
        )

    def renew(self) -> bool:
        """Read the files again; tell whether something has changed since the last time."""
        with self._lock:
            self._next_look = self._clock() + _SECONDS_BETWEEN_LOOKS
            try:
                content = _content(self._tls)
            except TlsError as error:
                message = (
                    "a certificate cannot be read again, the one before stays: receivers.otlp.protocols.grpc.tls.%s"
                )
                self._paced.tell(logging.ERROR, message, error)
                return False
            if content == self._content:
                return False
            self._content = content
        _log.info("the receiver's certificate has changed: new connections get the new one")
        return True

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return what is to be used from now on, None where nothing has changed; gRPC asks at each handshake."""
        if self._clock() >= self._next_look:
            self.renew()
        if self._content == self._given:
            return None
        self._given = self._content
        return self._configuration()

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        key, certificate, authority = self._content
        return grpc.ssl_server_certificate_configuration([(key, certificate)], authority)


def _content(tls: ServerTlsSettings) -> tuple[bytes, bytes, bytes | None]:
    key, certificate = _pem("key_file", tls.key_file), _pem("cert_file", tls.cert_file)
    authority = None if tls.client_ca_file is None else _pem("client_ca_file", tls.client_ca_file)
    try:
        check_pair(Path(tls.cert_file), Path(tls.key_file))
    except CertificateError as error:
        raise TlsError(f"key_file: {error}") from None
    return key, certificate, authority


def _pem(setting: str, file: str) -> bytes:
    try:
        return pem(Path(file))
    except CertificateError as error:
        raise TlsError(f"{setting}: {error}") from None
