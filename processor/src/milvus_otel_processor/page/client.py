"""What asks a running processor's API, from the command line."""

from __future__ import annotations

import http.client
import json
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SECONDS = 30.0
_PART = 64 * 1024
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

    def get(self, path: str) -> Any:
        """Return an answer. Raises ClientError."""
        connection = self._connect()
        try:
            return json.loads(self._answer(connection, "GET", path).read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._no_answer(error) from None
        finally:
            connection.close()

    @contextmanager
    def stream(self, path: str) -> Iterator[Iterator[bytes]]:
        """Ask, and give what comes as it comes, once there is an answer. Raises ClientError, also while it comes."""
        connection = self._connect()
        try:
            answer = self._answer(connection, "POST", path)
            if connection.sock is not None:
                connection.sock.settimeout(None)  # it may take its time: the other side ends it
            yield iter(partial(self._part, answer), b"")
        finally:
            connection.close()

    def _part(self, answer: http.client.HTTPResponse) -> bytes:
        try:
            return answer.read1(_PART)
        except (OSError, http.client.HTTPException) as error:
            raise self._no_answer(error) from None

    def _answer(self, connection: http.client.HTTPConnection, method: str, path: str) -> http.client.HTTPResponse:
        try:
            connection.request(method, f"{self._path}{PREFIX}{path}", headers=self._headers)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._no_answer(error) from None
        if answer.status >= http.client.BAD_REQUEST:
            raise ClientError(self._said(answer), answer.status)
        return answer

    def _said(self, answer: http.client.HTTPResponse) -> str:
        try:
            return f"{self.url}: {json.loads(answer.read())['error']}"
        except (ValueError, KeyError, TypeError):
            return (
                f"{self.url} answers {answer.status} {answer.reason}: it is no page of a processor; "
                "expected the address in service.telemetry.page.endpoint"
            )

    def _no_answer(self, error: Exception) -> ClientError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        return ClientError(
            f"{self.url}: no answer: {reason}; expected a running processor with service.telemetry.page, at its endpoint"
        )
