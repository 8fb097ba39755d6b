"""The demo's application: a shop with products and articles in Milvus, whose calls are traced by one line.

Run as a process of its own, as an application is: `python -m milvus_otel_processor.demo.workload URI [ENDPOINT]`. What it
does is told on standard output, one JSON object a line: `{"doing": ..., "operations": ..., "failures": ...}`.
"""

from __future__ import annotations

import logging
import random
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import milvus_otel_client
from pymilvus import MilvusClient, MilvusException

from milvus_otel_processor.demo.dataset import COLLECTIONS, MISSING_COLLECTION, Progress, tell

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICE_NAME = "demo-shop"
ROWS, BATCH = 2000, 500
SEARCHES, QUERIES, DELETES, FAILURES = 60, 20, 3, 2
SLOW_VECTORS, SLOW_LIMIT = 4000, 100
COLOURS = ("red", "green", "blue", "yellow")


@dataclass
class Shop:
    """What the application does to Milvus; numbers and vectors are drawn from `random`."""

    client: MilvusClient
    random: random.Random
    tell: Callable[[Progress], None] = tell
    operations: int = 0
    failures: int = 0
    _doing: str = field(default="", init=False)

    def run(self) -> None:
        """Do everything once, in the order of an ordinary day."""
        for collection, dimension in COLLECTIONS.items():
            # Session: a search waits until it can see what this client has inserted.
            create = partial(self.client.create_collection, consistency_level="Session")
            self._do(f"create {collection}", create, collection, dimension)
            for start in range(0, ROWS, BATCH):
                rows = [self._row(number, dimension) for number in range(start, start + BATCH)]
                self._do(f"insert into {collection}", self.client.insert, collection, rows)
            self._read(collection, dimension)
            for number in range(DELETES):
                self._do(f"delete in {collection}", self.client.delete, collection, ids=[number])
        self._do("a slow search", self._search, "products", COLLECTIONS["products"], SLOW_VECTORS, SLOW_LIMIT)
        for _ in range(FAILURES):
            self._do("search a collection that is not there", self._search, MISSING_COLLECTION, 64)
            self._do("search with a wrong dimension", self._search, "products", COLLECTIONS["products"] + 1)

    def _read(self, collection: str, dimension: int) -> None:
        for _ in range(SEARCHES):
            self._do(f"search {collection}", self._search, collection, dimension)
        for _ in range(QUERIES):
            colour = self.random.choice(COLOURS)
            self._do(f"query {collection}", self.client.query, collection, f'colour == "{colour}"', limit=10)

    def _search(self, collection: str, dimension: int, vectors: int = 1, limit: int = 5) -> None:
        self.client.search(
            collection,
            [self._vector(dimension) for _ in range(vectors)],
            filter=f'colour == "{self.random.choice(COLOURS)}" and price < {self.random.randint(20, 90)}',
            limit=limit,
            output_fields=["colour", "price"],
        )

    def _do(self, what: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        if what != self._doing:
            self._doing = what
            self.tell(Progress(what, self.operations, self.failures))
        self.operations += 1
        try:
            call(*args, **kwargs)
        except MilvusException:
            self.failures += 1

    def _row(self, number: int, dimension: int) -> dict[str, Any]:
        return {
            "id": number,
            "vector": self._vector(dimension),
            "colour": self.random.choice(COLOURS),
            "price": self.random.randint(1, 100),
        }

    def _vector(self, dimension: int) -> list[float]:
        return [self.random.uniform(-1, 1) for _ in range(dimension)]


def main(uri: str, endpoint: str | None = None) -> None:
    """Run the application against the Milvus at the uri, its traces going to the OTLP endpoint (`host:port`).

    Without an endpoint they go where the variables `OTEL_EXPORTER_OTLP_*` say.
    """
    if endpoint is None:
        milvus_otel_client.setup(service_name=SERVICE_NAME)
    else:
        milvus_otel_client.setup(service_name=SERVICE_NAME, endpoint=f"http://{endpoint}", insecure=True)
    # pymilvus logs each failure with its stack trace; the failures here are on purpose.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    client = MilvusClient(uri)
    shop = Shop(client, random.Random(235))  # noqa: S311 - the same rows in every run, nothing secret
    shop.run()
    client.close()
    tell(Progress("done", shop.operations, shop.failures))


if __name__ == "__main__":
    main(*sys.argv[1:])
