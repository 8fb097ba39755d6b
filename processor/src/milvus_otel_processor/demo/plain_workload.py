"""The demo's other application: pymilvus as it comes, without our client and without OpenTelemetry.

It searches what `workload.py` has put into Milvus, and once what is not there. Run as a process of its own, so that nothing
patches its pymilvus: `python -m milvus_otel_processor.demo.plain_workload URI`. It tells how far it is as `workload.py` does.
"""

from __future__ import annotations

import logging
import random
import sys

from pymilvus import MilvusClient, MilvusException

from milvus_otel_processor.demo.dataset import COLLECTIONS, MISSING_COLLECTION, Progress, tell

SEARCHES = 50
"""In each collection: enough that a rule which keeps one trace in ten keeps some."""


def run(client: MilvusClient, generator: random.Random) -> Progress:
    """Search every collection, then the one that is not there; return how often, and what Milvus refused."""
    searches = [item for item in COLLECTIONS.items() for _ in range(SEARCHES)]
    searches.append((MISSING_COLLECTION, COLLECTIONS["products"]))
    failures = 0
    for number, (collection, dimension) in enumerate(searches):
        if number % SEARCHES == 0:
            tell(Progress(f"search {collection}", number, failures))
        try:
            client.search(collection, [[generator.uniform(-1, 1) for _ in range(dimension)]], limit=5)
        except MilvusException:
            failures += 1
    return Progress("done", len(searches), failures)


def main(uri: str) -> None:
    """Run the application against the Milvus at the uri."""
    # pymilvus logs each failure with its stack trace; the failure here is on purpose.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    client = MilvusClient(uri)
    done = run(client, random.Random(17))  # noqa: S311 - the same vectors in every run, nothing secret
    client.close()
    tell(done)


if __name__ == "__main__":
    main(*sys.argv[1:])
