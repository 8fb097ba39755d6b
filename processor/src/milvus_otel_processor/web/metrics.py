"""`/metrics`: all metrics, as Prometheus asks for them."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Final

from prometheus_client.exposition import choose_encoder, gzip_accepted
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from milvus_otel_processor.telemetry.exposition import exposition
from milvus_otel_processor.telemetry.own import platform_metrics, together

if TYPE_CHECKING:
    from starlette.requests import Request

    from milvus_otel_processor.telemetry.family import Source

_GZIP: Final = 16 + zlib.MAX_WBITS
_FAST: Final = 1
"""How hard it is tried to make it small: most of the gain is in that the same labels come again and again."""


def metrics_routes(source: Source) -> list[Route]:
    """Return routes that answer with what `source` has then; at `/` too, where no page is."""
    shown = together(source, platform_metrics())
    one_at_a_time = asyncio.Lock()

    async def scrape(request: Request) -> Response:
        _, content_type = choose_encoder(request.headers.get("accept", ""))
        open_metrics = content_type.startswith("application/openmetrics-text")
        zipped = gzip_accepted(request.headers.get("accept-encoding", ""))
        # With thousands of series it takes its time, in which health has to answer.
        async with one_at_a_time:
            page = await run_in_threadpool(_page, shown, open_metrics=open_metrics, zipped=zipped)
        headers = {"vary": "accept, accept-encoding", **({"content-encoding": "gzip"} if zipped else {})}
        return Response(page, media_type=content_type, headers=headers)

    return [Route("/metrics", scrape), Route("/", scrape)]


def _page(source: Source, *, open_metrics: bool, zipped: bool) -> bytes:
    parts = exposition(source(False), open_metrics=open_metrics)
    if not zipped:
        return b"".join(parts)
    made = zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP)
    return b"".join((*map(made.compress, parts), made.flush()))
