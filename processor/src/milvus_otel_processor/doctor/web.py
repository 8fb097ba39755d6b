"""One HTTP request, and what came of it."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from milvus_otel_processor.other_protocol import of_another_protocol

_SECONDS = 5.0
_LARGEST = 8 << 20
_AUTHORITY = "the variable SSL_CERT_FILE names the file of an authority to trust"


class NoAnswerError(Exception):
    """Nobody answers there; the message says why."""


class NotHttpError(Exception):
    """Something answers there that does not speak HTTP/1.1, a gRPC server most of the time; the message says what it is like."""


class Answer(NamedTuple):
    """What was answered."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Return the body; None where it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def ask(url: str, body: bytes | None = None) -> Answer:
    """GET, or POST of JSON. Raises NoAnswerError or NotHttpError."""
    split = urlsplit(url)
    kind = http.client.HTTPSConnection if split.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(split.hostname or "", split.port, timeout=_SECONDS)
    except (ValueError, http.client.HTTPException) as error:
        raise NoAnswerError(str(error)) from None
    try:
        path = split.path or "/"
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request("GET" if body is None else "POST", f"{path}?{split.query}", body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(_LARGEST))
    except http.client.RemoteDisconnected:
        raise NoAnswerError("the connection was closed") from None
    except http.client.HTTPException as error:
        raise NotHttpError(of_another_protocol(error)) from None
    except ssl.SSLCertVerificationError as error:
        raise NoAnswerError(f"its certificate is not trusted ({error.verify_message}); {_AUTHORITY}") from None
    except OSError as error:
        raise NoAnswerError(error.strerror or str(error)) from None
    finally:
        connection.close()
