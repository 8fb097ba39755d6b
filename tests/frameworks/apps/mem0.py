"""mem0: three memories as they are, without a language model, and a search among them."""

from __future__ import annotations

from mem0 import Memory
from mem0.embeddings.mock import MockEmbeddings


def search(uri: str) -> list[str]:
    nobody = {"provider": "openai", "config": {"api_key": "none"}}  # it is made, and never asked
    store = {"collection_name": "books", "url": uri, "token": "", "embedding_model_dims": 10, "metric_type": "L2"}
    memory = Memory.from_config(
        {"vector_store": {"provider": "milvus", "config": store}, "embedder": nobody, "llm": nobody}
    )
    memory.embedding_model = MockEmbeddings()
    for text in ("Moby Dick", "Emma", "Ulysses"):
        memory.add(text, user_id="reader", infer=False)
    found = memory.search("Emma", filters={"user_id": "reader"}, top_k=2)
    return [each["memory"] for each in found["results"]]
