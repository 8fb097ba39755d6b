"""`/metrics`: all metrics, as Prometheus asks for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prometheus_client import exposition
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from milvus_otel_processor.telemetry.metrics import registry

if TYPE_CHECKING:
    from starlette.requests import Request

    from milvus_otel_processor.telemetry.family import Source


def metrics_routes(source: Source) -> list[Route]:
    """Return routes that answer with what `source` has then; at `/` too, where no page is."""
    collected = registry(source)
    one_at_a_time = asyncio.Lock()

    async def scrape(request: Request) -> Response:
        encode, content_type = exposition.choose_encoder(request.headers.get("accept", ""))
        # With thousands of series it takes seconds, in which health has to answer.
        async with one_at_a_time:
            page = await run_in_threadpool(encode, collected)
        return Response(page, media_type=content_type)

    return [Route("/metrics", scrape), Route("/", scrape)]
