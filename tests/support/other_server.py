"""A server that answers every request with the same bytes, whatever protocol they are of."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HTTP2 = b"\x00\x00\x18\x04\x00\x00\x00\x00\x00\x00\x04\x00@\x00\x00\x00\x05\x00@\x00\x00\x00\x06\x00\x00@\x00"
"""How a gRPC server begins: the settings of HTTP/2, as gRPC's C core sends them."""


@contextmanager
def answering(content: bytes) -> Iterator[str]:
    """Yield the `host:port` of such a server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=_serve, args=[listener, content])
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # which ends the accept() that waits
            thread.join()


def _serve(listener: socket.socket, content: bytes) -> None:
    with suppress(OSError):
        while True:
            peer, _ = listener.accept()
            with peer, suppress(ConnectionError):
                asked = b""
                while b"\r\n\r\n" not in asked and (part := peer.recv(4096)):
                    asked += part
                peer.sendall(content)
