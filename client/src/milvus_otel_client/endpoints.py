"""Where spans and metrics are sent to: whether that can be an address, and what is said where its ``http://`` is missing."""

from __future__ import annotations

import logging
import re
from urllib.parse import urlsplit

_logger = logging.getLogger("milvus_otel_client")
GRPC_EXPORTER_LOGGER = "opentelemetry.exporter.otlp.proto.grpc.exporter"
_CREDENTIALS = re.compile(r"(?<=//)[^/@]*@")
_HTTP = re.compile(r"https?://", re.IGNORECASE)
_HTTP_WITHOUT_SLASHES = re.compile(r"https?:(?!//)(?!\d+$)", re.IGNORECASE)
"""A host may be called `http`: that is `http:4317`."""
_BLANK_OR_CONTROL = re.compile(r"[\s\x00-\x1f\x7f]")
_ANY_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(?:[^:/\[\]]+|\[[^\]]*\]):([0-9]+)")
_MAX_PORT = 65_535


def without_credentials(endpoint: str) -> str:
    """Return an endpoint as it may be shown."""
    return _CREDENTIALS.sub("", endpoint)


def fault_of(endpoint: str, *, is_url: bool) -> str | None:
    """Return what keeps a text from being an endpoint; None where nothing does.

    OTLP/HTTP needs a URL (`is_url`). OTLP/gRPC takes all that gRPC has names for, `host:port` and `unix:///path` among
    them: https://opentelemetry.io/docs/specs/otel/protocol/exporter/#configuration-options.
    """
    if _BLANK_OR_CONTROL.search(endpoint):
        return "there is a blank in it"
    if _HTTP.match(endpoint):
        return _fault_of_url(endpoint)
    if _HTTP_WITHOUT_SLASHES.match(endpoint):
        return "// is missing behind http: or https:"
    if is_url:
        return "http:// or https:// is missing"
    found = _HOST_AND_PORT.fullmatch(endpoint)
    return _fault_of_port(int(found[1])) if found else None


def _fault_of_url(endpoint: str) -> str | None:
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError as error:
        return str(error)[:1].lower() + str(error)[1:]
    if not parts.hostname:
        return "the host is missing"
    return None if port is None else _fault_of_port(port)


def _fault_of_port(port: int) -> str | None:
    return None if 0 < port <= _MAX_PORT else f"the port is not from 1 to {_MAX_PORT}"


class _SchemeAdvice(logging.Filter):
    """Sees what the exporter says of each failure, and says once what is behind a handshake of TLS that failed.

    An endpoint without a scheme is right for gRPC and means TLS, so that nothing can be said of it before.
    """

    def __init__(self) -> None:
        super().__init__()
        self._advice: dict[str, str] = {}
        self._given: set[str] = set()

    def watch(self, source: str, endpoint: str) -> None:
        shown = without_credentials(endpoint)
        address = _ANY_SCHEME.sub("", shown)
        self._advice[address] = (
            f"{source}={shown} begins with neither http:// nor https://, so TLS is spoken, and the "
            f"handshake failed: if the receiver takes no TLS, write http://{address}"
        )

    def on(self, said: str) -> str | None:
        """Return what is to be said of a failure that the exporter has told of."""
        if "handshake failed" not in said.lower() or "CERTIFICATE_VERIFY" in said:
            return None
        return next((advice for address, advice in self._advice.items() if address in said), None)

    def filter(self, record: logging.LogRecord) -> bool:
        advice = self.on(record.getMessage())
        if advice is not None and advice not in self._given:
            self._given.add(advice)
            _logger.warning("milvus_otel_client: %s", advice)
        return True


SCHEME_ADVICE = _SchemeAdvice()


def advise_where_tls_fails(source: str, endpoint: str) -> None:
    """Say what is missing once a handshake with this endpoint has failed; `source` is what named the endpoint."""
    if not _HTTP.match(endpoint):
        SCHEME_ADVICE.watch(source, endpoint)
        logging.getLogger(GRPC_EXPORTER_LOGGER).addFilter(SCHEME_ADVICE)
