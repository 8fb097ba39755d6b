"""A collection, ten rows, one search: one trace from the application through pymilvus into Milvus.

With the stack running, in a checkout: `pip install './client[instruments]'`, then `python search.py`, then look at
http://localhost:16686. `MILVUS_URI` is where Milvus is, `OTEL_EXPORTER_OTLP_ENDPOINT` where the Collector is.
"""

import os

import milvus_otel_client
from opentelemetry import trace
from pymilvus import MilvusClient

milvus_otel_client.setup(service_name="shop")

client = MilvusClient(os.environ.get("MILVUS_URI", "http://localhost:19530"))
with trace.get_tracer("shop").start_as_current_span("find books") as span:
    if not client.has_collection("books"):
        client.create_collection("books", dimension=4, consistency_level="Strong")
    client.upsert("books", [{"id": number, "vector": [number, 1, 2, 3], "year": 2000 + number} for number in range(10)])
    hits = client.search("books", [[3, 1, 2, 3]], filter="year > 2002", limit=3)
    print([hit["id"] for hit in hits[0]], f"trace_id={span.get_span_context().trace_id:032x}")
