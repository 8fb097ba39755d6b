"""An HTTP server in the test's own process, and what a client makes of its answers."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any, NamedTuple

from milvus_otel_processor.web.server import HttpServer
from starlette.routing import BaseRoute

CALL_SECONDS = 20.0


class Answer(NamedTuple):
    """What a server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@contextmanager
def served(routes: Sequence[BaseRoute]) -> Iterator[str]:
    """Serve these on a free port of 127.0.0.1, and give the URL of the root, without its slash."""
    server = HttpServer(monotonic)
    host, port = server.listen("127.0.0.1", 0, routes)
    server.start()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def ask(url: str, body: bytes | None = None, **headers: str) -> Answer:
    """Ask for a URL; `header_name` is sent as `header-name`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=body, headers=named)
    try:
        with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())
