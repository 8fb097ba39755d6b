"""An application that searches once for each request, for gunicorn (`wsgi`) and uvicorn (`asgi`)."""

from __future__ import annotations

import os
from typing import Any

import milvus_otel_client
from pymilvus import MilvusClient

milvus_otel_client.setup()


def _search() -> bytes:
    hits = MilvusClient(os.environ["MILVUS_URI"]).search("c", [[0.1, 0.2, 0.3, 0.4]], limit=2)
    return str(len(hits[0])).encode()


def wsgi(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = _search()
    start_response("200 OK", [("content-length", str(len(body)))])
    return [body]


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = _search()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
