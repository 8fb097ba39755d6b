"""The same without a word about tracing in the code.

pip install './client[instruments]' opentelemetry-distro
OTEL_SERVICE_NAME=shop opentelemetry-instrument --exporter_otlp_protocol grpc python zero_code.py
"""

import os

from pymilvus import MilvusClient

client = MilvusClient(os.environ.get("MILVUS_URI", "http://localhost:19530"))
if not client.has_collection("books"):
    client.create_collection("books", dimension=4, consistency_level="Strong")
client.upsert("books", [{"id": number, "vector": [number, 1, 2, 3], "year": 2000 + number} for number in range(10)])
print([hit["id"] for hit in client.search("books", [[3, 1, 2, 3]], filter="year > 2002", limit=3)[0]])
