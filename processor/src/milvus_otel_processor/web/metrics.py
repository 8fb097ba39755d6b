"""`/metrics`: the processor's own metrics, as Prometheus asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import exposition
from starlette.responses import Response
from starlette.routing import Route

from milvus_otel_processor.telemetry.metrics import registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from milvus_otel_processor.telemetry.counters import Snapshot


def metrics_routes(snapshot: Callable[[], Snapshot]) -> list[Route]:
    """Return routes that answer with what `snapshot` returns; at `/` too, where no page is."""
    collected = registry(snapshot)

    async def scrape(request: Request) -> Response:
        encode, content_type = exposition.choose_encoder(request.headers.get("accept", ""))
        return Response(encode(collected), media_type=content_type)

    return [Route("/metrics", scrape), Route("/", scrape)]
