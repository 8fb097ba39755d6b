"""`/health`: whether requests are taken now, and `/health/alive`: whether the process answers at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request


def health_routes(obstacle: Callable[[], str | None]) -> list[Route]:
    """Return the routes; `obstacle` says why no request is taken now, or returns None."""

    async def ready(_: Request) -> JSONResponse:
        reason = obstacle()
        if reason is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "refusing", "reason": reason}, 503)

    async def alive(_: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    return [Route("/health", ready), Route("/health/alive", alive)]
