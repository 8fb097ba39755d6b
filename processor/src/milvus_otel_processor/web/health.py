"""`/health`: whether requests are taken now, and `/health/alive`: whether the process answers at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request


def health_routes(
    obstacle: Callable[[], str | None], rules_are_current: Callable[[], bool] = lambda: True
) -> list[Route]:
    """Return the routes; `obstacle` says why no request is taken now, or returns None.

    `rules_are_current` tells whether the rules that were saved last are in force, and not broken.
    """

    async def ready(_: Request) -> JSONResponse:
        reason = obstacle()
        if reason is None:
            return JSONResponse({"status": "ready"} if rules_are_current() else {"status": "ready", "rules": "broken"})
        return JSONResponse({"status": "refusing", "reason": reason}, 503)

    async def alive(_: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    return [Route("/health", ready), Route("/health/alive", alive)]
