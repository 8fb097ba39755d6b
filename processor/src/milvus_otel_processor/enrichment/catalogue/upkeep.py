"""A catalogue with what keeps it up to date: the connection to Milvus that the settings name, and the thread that reads."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from milvus_otel_processor.certificates import CertificateError
from milvus_otel_processor.enrichment.catalogue.milvus import Connection, Reader
from milvus_otel_processor.enrichment.catalogue.refresher import Refresher
from milvus_otel_processor.telemetry.paced import PacedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from milvus_otel_processor.enrichment.catalogue.catalogue import Catalogue
    from milvus_otel_processor.enrichment.catalogue.collection import Collection
    from milvus_otel_processor.enrichment.settings import MilvusSettings
    from milvus_otel_processor.telemetry.counters import Telemetry
    from milvus_otel_processor.tls import ClientCertificates

_log = logging.getLogger(__name__)

_NANOSECONDS = 1e9
_NEVER = 0.0
"""Of a time in metrics: it has not happened yet."""


class Upkeep:
    """Reads the catalogue from Milvus, if that is enabled.

    `on_catalogue` is called in another thread with all collections when they have been read.
    Raises CertificateError where a file of the TLS settings cannot be read.
    """

    def __init__(
        self,
        settings: MilvusSettings,
        catalogue: Catalogue,
        telemetry: Telemetry,
        *,
        clock: Callable[[], float],
        random: Random,
        time_ns: Callable[[], int],
        on_catalogue: Callable[[Sequence[Collection]], object],
    ) -> None:
        self._settings = settings
        self._certificates = settings.tls.certificates()
        self._paced = PacedLog(_log, clock)
        self._refresher = Refresher(
            settings.catalogue,
            catalogue,
            lambda: Reader(_connection(settings, self._certificates)),
            clock=clock,
            random=random,
            counts=telemetry.catalogue_refreshes,
            on_read=lambda: on_catalogue(catalogue.all()),
            on_listed=lambda: setattr(telemetry, "catalogue_last_read", time_ns() / _NANOSECONDS),
        )
        if settings.catalogue.enabled:
            telemetry.catalogue_last_read = _NEVER

    def start(self) -> None:
        """Read from now on, in a thread of its own."""
        if self._settings.catalogue.enabled:
            self._refresher.start()

    def renew(self) -> bool:
        """Read Milvus' certificates again, and connect anew where they have changed; tell whether they have."""
        try:
            certificates = self._settings.tls.certificates()
        except CertificateError as error:
            self._paced.tell(logging.ERROR, "a certificate cannot be read again, the one before stays: %s", error)
            return False
        if certificates == self._certificates:
            return False
        self._certificates = certificates
        self._refresher.reconnect()
        return True

    def stop(self, timeout: float) -> None:
        """Stop reading, within about `timeout` seconds."""
        self._refresher.stop(timeout)


def _connection(settings: MilvusSettings, certificates: ClientCertificates) -> Connection:
    scheme, _, target = settings.uri.rstrip("/").partition("://")
    password = settings.password.get_secret_value()
    return Connection(
        target=target if ":" in target.rpartition("]")[2] else f"{target}:19530",
        tls=scheme == "https",
        authorization=f"{settings.user}:{password}" if settings.user else settings.token.get_secret_value(),
        timeout=settings.catalogue.timeout,
        ca=certificates.authority,
        cert=certificates.certificate,
        key=certificates.key,
        server_name=settings.tls.server_name_override,
    )
