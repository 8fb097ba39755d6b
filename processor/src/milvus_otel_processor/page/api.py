"""The routes of the page and its API: each request is looked at by the guard, answered by a thread, and bounded in size."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import resources
from time import monotonic
from typing import TYPE_CHECKING, Any

from starlette.responses import Response, StreamingResponse
from starlette.routing import Match, Route

from milvus_otel_processor.config.problems import did_you_mean
from milvus_otel_processor.page.answers import ENDPOINTS, PREFIX, STREAMS, Answers, Endpoint, Stream
from milvus_otel_processor.page.asked import ApiError, Asked, check_names
from milvus_otel_processor.page.capture import AT_ONCE, captured
from milvus_otel_processor.web.guard import HEADERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.requests import Request

    from milvus_otel_processor.web.guard import Guard, Refusal

_LARGEST_BODY = 256 * 1024
_MOST_WAITING = 32
"""Requests that wait for the one thread that answers."""
_FRESH_SECONDS = 1.0
"""For which an answer about now is given again: a hundred pages ask for the same."""
_LONGEST_CAPTURE, _LARGEST_CAPTURE = 3600.0, 4096.0  # seconds, MiB
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_LONGEST_PATH = 100
"""Characters of a path that a message repeats."""
_FILES = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "draw.js": "text/javascript; charset=utf-8",
    "requests.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


class Api:
    """Makes the routes."""

    def __init__(self, answers: Answers, guard: Guard) -> None:
        self._answers = answers
        self._guard = guard
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="page")
        self._slow = ThreadPoolExecutor(max_workers=1, thread_name_prefix="page-slow")
        """For what waits for other programs."""
        self._waiting = 0
        self._fresh: dict[str, tuple[float, bytes]] = {}

    def routes(self) -> list[Route]:
        """Return all of them."""
        files = [Route(f"/page/{name}", partial(self._file, name=name)) for name in _FILES]
        api = [
            Route(f"{PREFIX}{one.path}", partial(self._answer, endpoint=one), methods=[one.method]) for one in ENDPOINTS
        ]
        capture = [
            Route(f"{PREFIX}{one.path}", partial(self._capture, stream=one), methods=[one.method]) for one in STREAMS
        ]
        known = [*api, *capture]
        others = [
            Route(f"{PREFIX}{path}", partial(self._other, known=known), methods=_METHODS)
            for path in ("", "/{others:path}")
        ]
        return [Route("/", partial(self._file, name="index.html")), *files, *known, *others]

    async def _file(self, request: Request, *, name: str) -> Response:
        refused = self._guard.refusal_of_page(request.headers)
        if refused is not None:
            return _refused(refused)
        content = resources.files("milvus_otel_processor.page").joinpath("static", name).read_bytes()
        return Response(content, headers={**HEADERS, "content-type": _FILES[name]})

    async def _other(self, request: Request, *, known: Sequence[Route]) -> Response:
        refused = self._guard.refusal(request.headers)
        if refused is not None:
            return _refused(refused)
        path = request.url.path[:_LONGEST_PATH]
        methods = [
            method
            for route in known
            if route.matches(request.scope)[0] is not Match.NONE
            for method in sorted(route.methods or ())
        ]
        if methods:
            return _json(405, _error(f"{path!r} takes {', '.join(methods)} alone"), {"allow": ", ".join(methods)})
        meant = did_you_mean(path.removeprefix(PREFIX), [one.path for one in (*ENDPOINTS, *STREAMS) if one.path])
        return _json(404, _error(f"{path!r} is not known, expected one of the paths that GET {PREFIX} lists{meant}"))

    async def _answer(self, request: Request, *, endpoint: Endpoint) -> Response:
        refused = self._guard.refusal(request.headers)
        if refused is not None:
            return _refused(refused)
        try:
            check_names(_names(request), endpoint.query)
        except ApiError as error:
            return _json(error.status, _error(str(error)))
        fresh = self._fresh.get(endpoint.path)
        if fresh is not None and monotonic() < fresh[0]:
            return _json(200, fresh[1])
        if self._waiting >= _MOST_WAITING:
            return _json(503, _error("too many requests at once, ask again"), {"retry-after": "1"})
        self._waiting += 1
        try:
            asked = Asked(request.path_params, request.query_params, await _body(request))
            thread = self._slow if endpoint.waits else self._thread
            answer = await asyncio.get_running_loop().run_in_executor(thread, self._told, endpoint, asked)
        except ApiError as error:
            return _json(error.status, _error(str(error)))
        finally:
            self._waiting -= 1
        if endpoint.path == "/now":
            self._fresh[endpoint.path] = (monotonic() + _FRESH_SECONDS, answer)
        return _json(200, answer)

    def _told(self, endpoint: Endpoint, asked: Asked) -> bytes:
        return json.dumps(endpoint.answer(self._answers, asked), ensure_ascii=False, allow_nan=False).encode()

    async def _capture(self, request: Request, *, stream: Stream) -> Response:
        refused = self._guard.refusal(request.headers)
        if refused is not None:
            return _refused(refused)
        recent = self._answers.inside.witness.recent
        if recent.followers >= AT_ONCE:
            return _json(503, _error("too many captures at once, end another one"), {"retry-after": "10"})
        asked = Asked(request.path_params, request.query_params)
        try:
            check_names(_names(request), stream.query)
            seconds = asked.number("seconds", 60.0, 0.0, _LONGEST_CAPTURE)
            size = int(asked.number("mib", 64.0, 0.0, _LARGEST_CAPTURE) * (1 << 20))
            past = asked.one_of("past", ("true", "false")) != "false"
        except ApiError as error:
            return _json(error.status, _error(str(error)))
        parts: AsyncIterator[bytes] = captured(
            recent, access_log=stream.access_log, seconds=seconds, size=size, past=past
        )
        return StreamingResponse(parts, headers={**HEADERS, "content-type": "application/octet-stream"})


def _names(request: Request) -> list[str]:
    return [name for name, _ in request.query_params.multi_items()]


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_BODY:
            raise ApiError(413, f"the body is larger than {_LARGEST_BODY >> 10} KiB")
    return bytes(body)


def _refused(refused: Refusal) -> Response:
    headers = {"www-authenticate": "Bearer"} if refused.status == 401 else {}
    return _json(refused.status, _error(refused.message), headers)


def _error(message: str) -> bytes:
    return json.dumps({"error": message}, ensure_ascii=False).encode()


def _json(status: int, content: bytes, headers: dict[str, Any] | None = None) -> Response:
    return Response(content, status, {**HEADERS, **(headers or {}), "content-type": "application/json"})
