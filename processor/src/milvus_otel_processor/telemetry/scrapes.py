"""Answers scrapes over HTTP: a few at a time, none of them for long, and idle connections cost nothing but their place."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import TYPE_CHECKING

from prometheus_client import exposition

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_SECONDS = 5.0
"""In which a client has to say what it wants, and to take the answer."""
_AT_ONCE = 8


class ScrapeServer(TCPServer):
    """Serves `/metrics`, in one thread for each of the few connections that there may be; more are closed at once.

    Raises OSError where the address cannot be listened on.
    """

    allow_reuse_address = True
    request_queue_size = 32

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    def start(self) -> None:
        """Serve from now on."""
        threading.Thread(target=self.serve_forever, name="metrics", daemon=True).start()

    def stop(self) -> None:
        """Serve no more."""
        self.shutdown()
        self.server_close()

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Hand a connection to a thread of its own, if there is one left."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        threading.Thread(target=self._serve, args=(request, client_address), name="scrape", daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away, or never said what it wanted."""

    def _serve(self, request: socket.socket, client_address: object) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:  # noqa: BLE001 - one client's fault is nobody else's
            self.handle_error(request, client_address)
        finally:
            self.shutdown_request(request)
            self._places.release()


class _Handler(BaseHTTPRequestHandler):
    timeout = _SECONDS
    server: ScrapeServer

    def do_GET(self) -> None:
        if self.path.partition("?")[0] not in {"/metrics", "/"}:
            self.send_error(404)
            return
        encode, content_type = exposition.choose_encoder(self.headers.get("Accept", ""))
        body = encode(self.server.registry)
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        # One request to a connection: what is idle is not waited for. The whole of it has the time of one line.
        timer = threading.Timer(_SECONDS, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            self.handle_one_request()
        finally:
            timer.cancel()

    def _give_up(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        del format, args
