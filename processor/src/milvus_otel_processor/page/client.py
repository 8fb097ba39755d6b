"""What asks a running processor's API, from the command line."""

from __future__ import annotations

import http.client
import json
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from milvus_otel_processor.other_protocol import of_another_protocol
from milvus_otel_processor.printable import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SECONDS = 30.0
_LONGEST_SILENCE = 3600.0
_PART = 64 * 1024
_LARGEST = 64 << 20
"""Bytes of an answer: a processor's are a few MB at the most."""
_EXPECTED = "expected the URL of a processor's page, as service.telemetry.page.endpoint says"
_STREAM = "application/octet-stream"
PREFIX = "/api/v1"


class ClientError(Exception):
    """There is no answer to be had; the message says why and what can be done."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """Asks the API at `url`, such as http://127.0.0.1:18888; `token` is shown where there is one."""

    def __init__(self, url: str, token: str | None = None) -> None:
        split = urlsplit(url if "//" in url else f"http://{url}")
        try:
            host, port = split.hostname, split.port
        except ValueError:
            host, port = None, None
        if split.scheme not in {"http", "https"} or not host:
            raise ClientError(f"{url!r} is no URL of a processor's page, expected one such as http://127.0.0.1:18888")
        self.url = url.rstrip("/")
        kind = http.client.HTTPSConnection if split.scheme == "https" else http.client.HTTPConnection
        self._connect: Callable[[], http.client.HTTPConnection] = lambda: kind(host, port, timeout=_SECONDS)
        self._path = split.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, *keys: str) -> dict[str, Any]:
        """Return an answer, which has these keys. Raises ClientError, also where something else than a processor answers."""
        connection = self._connect()
        try:
            answer = self._answer(connection, "GET", path)
            document = _document(answer)
            if document is None or not document.keys() >= set(keys):
                raise ClientError(self._no_page(answer))
        except (OSError, http.client.HTTPException) as error:
            raise self._no_answer(error) from None
        finally:
            connection.close()
        return document

    @contextmanager
    def stream(self, path: str, seconds: float = _LONGEST_SILENCE) -> Iterator[Iterator[bytes]]:
        """Ask, and give what comes as it comes, once there is an answer. Raises ClientError, also while it comes.

        Nothing may come for `seconds`, after which the other side ends it.
        """
        connection = self._connect()
        try:
            answer = self._answer(connection, "POST", path)
            if answer.headers.get_content_type() != _STREAM:
                raise ClientError(self._no_page(answer))
            if connection.sock is not None:
                connection.sock.settimeout(seconds + _SECONDS)
            yield iter(partial(self._part, answer), b"")
        finally:
            connection.close()

    def _part(self, answer: http.client.HTTPResponse) -> bytes:
        try:
            return answer.read1(_PART)
        except (OSError, http.client.HTTPException):
            raise ClientError(
                f"{self.url}: the answer ended in the middle: the processor was stopped, or the connection broke"
            ) from None

    def _answer(self, connection: http.client.HTTPConnection, method: str, path: str) -> http.client.HTTPResponse:
        try:
            connection.request(method, f"{self._path}{PREFIX}{path}", headers=self._headers)
            answer = connection.getresponse()
            if answer.status >= http.client.BAD_REQUEST:
                raise ClientError(self._said(answer), answer.status)
        except (OSError, http.client.IncompleteRead, http.client.RemoteDisconnected) as error:
            raise self._no_answer(error) from None
        except http.client.HTTPException as error:
            raise ClientError(f"{self.url}: {of_another_protocol(error)}; {_EXPECTED}") from None
        return answer

    def _said(self, answer: http.client.HTTPResponse) -> str:
        document = _document(answer)
        if document is not None and isinstance(document.get("error"), str):
            return f"{self.url}: {shortened(document['error'])}"
        return self._no_page(answer)

    def _no_page(self, answer: http.client.HTTPResponse) -> str:
        status = shortened(f"{answer.status} {answer.reason}")
        return f"{self.url} answers {status}: it is no page of a processor; {_EXPECTED}"

    def _no_answer(self, error: Exception) -> ClientError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        return ClientError(
            f"{self.url}: no answer: {shortened(reason)}; expected a running processor with service.telemetry.page, at its endpoint"
        )


def _document(answer: http.client.HTTPResponse) -> dict[str, Any] | None:
    """Return the JSON object that was answered; None where it is none, as with a page of another server."""
    try:
        document = json.loads(answer.read(_LARGEST))
    except (ValueError, RecursionError):  # the latter of what is nested too deep
        return None
    return document if isinstance(document, dict) else None
