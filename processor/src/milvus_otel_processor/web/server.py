"""The HTTP server: one thread for all that is listened to, whatever the number of connections."""

from __future__ import annotations

import asyncio
import logging
import socket
from threading import Thread
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

from milvus_otel_processor.telemetry.faults import FaultLog
from milvus_otel_processor.web.connection import READ_SECONDS, Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger(__name__)

_BACKLOG = 64
_LARGEST_HEAD = 32 * 1024
_STOP_SECONDS = 2.0


class HttpServer:
    """Serves routes at addresses, over HTTP/1.1. All calls but `stop` come before `start`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._sockets: dict[tuple[str, int], socket.socket] = {}
        self._routes: dict[tuple[str, int], list[BaseRoute]] = {}
        self._apps: dict[tuple[str, int], ASGIApp] = {}
        self._faults = FaultLog(_log, clock)
        self._server: uvicorn.Server | None = None
        self._thread: Thread | None = None

    def listen(self, host: str, port: int, routes: Sequence[BaseRoute]) -> tuple[str, int]:
        """Serve these routes there, beside others at the same address; return the address with the port that was bound.

        Of two routes for the same path the one that came first counts. Raises OSError where it cannot be listened on.
        """
        family, address = _resolved(host, port)
        if address not in self._sockets:
            listening = socket.socket(family)
            try:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind(address)
                listening.listen(_BACKLOG)
            except OSError:
                listening.close()
                raise
            address = listening.getsockname()[:2]
            self._sockets[address] = listening
            self._routes[address] = []
        self._routes[address].extend(routes)
        return address

    def start(self) -> None:
        """Serve from now on, in a thread; nothing happens where there is nothing to serve."""
        if not self._sockets:
            return
        self._apps = {address: Starlette(routes=routes) for address, routes in self._routes.items()}
        config = uvicorn.Config(
            self._serve,
            http=Connection,
            interface="asgi3",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=int(READ_SECONDS),
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=_LARGEST_HEAD,
            backlog=_BACKLOG,
        )
        self._server = server = uvicorn.Server(config)
        run = server.serve(sockets=list(self._sockets.values()))
        self._thread = Thread(target=asyncio.run, args=[run], name="http", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Serve no more; what is being answered has a second to end."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(_STOP_SECONDS)
        for listening in self._sockets.values():
            listening.close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        host, port = scope["server"] or ("", 0)
        app = self._apps.get((host, port)) or next(
            (app for (_, bound), app in self._apps.items() if bound == port), None
        )
        started = False

        async def sent(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            assert app is not None
            await app(scope, receive, sent)
        except ClientDisconnect:
            return  # it has gone away, with or without a reason
        except Exception as error:  # noqa: BLE001 - one request's fault is nobody else's
            self._faults.tell(error, "answering a request failed: %s %s", scope["method"], scope["path"])
            if not started:
                await PlainTextResponse("the processor failed at it; its log says more\n", 500)(scope, receive, send)


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Return the address of a name, of two the IPv4 one."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, *_, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    return family, (str(address[0]), int(address[1]))
