"""The demo's application as the stack's container runs it: it waits for Milvus, and says in sentences what it does.

`python -m milvus_otel_processor.demo.visit URI`; where traces go is said by the variables `OTEL_EXPORTER_OTLP_*`.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import milvus_otel_client
from opentelemetry.sdk.trace import TracerProvider
from pymilvus import MilvusClient

from milvus_otel_processor.demo.dataset import MISSING_COLLECTION
from milvus_otel_processor.demo.workload import SERVICE_NAME, Shop
from milvus_otel_processor.enrichment.catalogue.milvus import Connection, Reader, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.demo.dataset import Progress

WAIT_SECONDS = 120.0
"""How long Milvus may take to answer."""
_PAUSE_SECONDS = 1.0
_CALL_SECONDS = 3.0

_INTRODUCTION = f"""\
Milvus answers. This is a small shop with two collections. Each of its calls to Milvus is a trace of the service
{SERVICE_NAME}, and goes to {{endpoint}}.
"""
_END = f"""\
Done: {{operations}} calls, {{failures}} of them failed, on purpose. All traces are sent.

Of these the stack keeps each trace with an error, each slow one, and one in ten of the others. It decides 10 seconds
after a trace began. Then open http://localhost:16686, choose the service {SERVICE_NAME} and press "Find Traces".
Three traces to look for:
  search products      The spans of the application, of Milvus (standalone) and of its C++ core (segcore) are one trace.
                       Each span has the attribute db.collection.name, and tailsampling.policy says why it was kept.
  search {MISSING_COLLECTION}       Failed, because there is no such collection: db.response.status_code is 100.
  the longest one      A search with thousands of vectors, kept by the policy "slow".

Kept traces are a sample: Jaeger's counts and durations are theirs. Those of all requests are at
http://localhost:8888/#requests, and in `milvus-otel top`.
"""


def main(uri: str, say: Callable[[str], None] = print, pause: Callable[[float], None] = time.sleep) -> int:
    """Wait for the Milvus at the uri, run the application against it, and return the exit status."""
    # pymilvus logs each failure with its stack trace; the failures here are expected.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    if not _wait_for(uri, say, pause):
        return 1
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317")
    say(_INTRODUCTION.format(endpoint=endpoint))
    provider = milvus_otel_client.setup(service_name=SERVICE_NAME)
    client = MilvusClient(uri)
    shop = Shop(client, random.Random(235), lambda progress: say(_sentence(progress)))  # noqa: S311 - nothing secret
    shop.run()
    client.close()
    if isinstance(provider, TracerProvider) and not provider.force_flush():
        say(f"\nThe last traces could not be sent to {endpoint}: `docker compose logs collector` may say why.")
        return 1
    say("\n" + _END.format(operations=shop.operations, failures=shop.failures))
    return 0


def _wait_for(uri: str, say: Callable[[str], None], pause: Callable[[float], None]) -> bool:
    """Tell whether Milvus answers a client within the time it has. No try is a trace, in the client or in Milvus."""
    connection = Connection(uri.removeprefix("http://"), tls=False, authorization="", timeout=_CALL_SECONDS)
    say(f"Waiting for the Milvus at {uri}, for up to {WAIT_SECONDS:g} seconds.")
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with closing(Reader(connection)) as milvus:
                milvus.namespaces()
        except Refusal as refusal:
            if time.monotonic() > until:
                say(f"Milvus does not answer: {refusal}")
                say(
                    "`docker compose ps` shows the state of each service, `docker compose logs milvus` what Milvus says."
                )
                return False
        else:
            return True
        pause(_PAUSE_SECONDS)


def _sentence(progress: Progress) -> str:
    """Say what begins now, such as "Search products."."""
    return f"  {progress.doing[0].upper()}{progress.doing[1:]}."


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        sys.exit(130)
