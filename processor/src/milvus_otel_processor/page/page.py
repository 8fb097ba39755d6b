"""The page put together: what it answers, who may ask, and where it is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.page.answers import Answers
from milvus_otel_processor.page.api import Api
from milvus_otel_processor.web.guard import Guard
from milvus_otel_processor.web.health import health_routes
from milvus_otel_processor.web.metrics import metrics_routes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milvus_otel_processor.extensions.bearer_token import BearerToken
    from milvus_otel_processor.page.inside import Inside
    from milvus_otel_processor.web.server import HttpServer


class PageError(Exception):
    """The page cannot be served; the message says why and what can be done."""


class Page:
    """Serves the page and its API; `token` is what has to be shown, if anything, and `room` how many bytes of memory are left."""

    def __init__(self, inside: Inside, token: BearerToken | None, room: Callable[[], int]) -> None:
        self._inside = inside
        host, _, self._port = inside.settings.endpoint.rpartition(":")
        self._host = host.strip("[]")
        guard = Guard([self._host, *inside.settings.allowed_hosts], _shown(token) if token is not None else None)
        self._routes = Api(Answers(inside, room), guard).routes()
        self.url = ""
        """Where it is, once it is listened to."""

    def listen(self, server: HttpServer) -> None:
        """Serve it at its endpoint, with health and metrics. Raises PageError where it cannot be listened on."""
        inside = self._inside
        routes = [
            *self._routes,
            *health_routes(inside.obstacle, lambda: inside.snapshot().last_reload_successful != 0),
            *metrics_routes(inside.metrics),
        ]
        try:
            host, port = server.listen(self._host, int(self._port), routes)
        except OSError as error:
            raise PageError(
                f"service.telemetry.page.endpoint: cannot listen on {inside.settings.endpoint}: {error.strerror}; "
                "name another port, or take the block out"
            ) from None
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _shown(token: BearerToken) -> Callable[[Sequence[tuple[str, str]]], bool]:
    return lambda headers: token.is_shown(tuple((name.lower(), value) for name, value in headers))
