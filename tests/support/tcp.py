"""A TCP proxy that counts what goes through it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread


class CountingProxy:
    """Passes connections on to another endpoint; `sent` is how many bytes the clients have sent."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self.endpoint = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.sent = 0
        self._silent: set[socket.socket] = set()
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def go_silent(self) -> None:
        """Pass nothing on any more of the connections that there are, and keep them open, as a peer does that lost its power."""
        self._silent = set(self._open)

    def close(self) -> None:
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._open += [client, server]
                for source, sink in ((client, server), (server, client)):
                    thread = Thread(target=self._pump, args=(source, sink, source is client), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source in self._silent:
                    continue
                if counts:
                    self.sent += len(data)
                sink.sendall(data)


@contextmanager
def counting_proxy(target: str) -> Iterator[CountingProxy]:
    proxy = CountingProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
