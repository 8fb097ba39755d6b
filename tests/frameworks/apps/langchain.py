"""LangChain's vector store: three texts, and the two nearest to a fourth."""

from __future__ import annotations

from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_milvus import Milvus


def search(uri: str) -> list[str]:
    store = Milvus(
        DeterministicFakeEmbedding(size=8),
        collection_name="books",
        connection_args={"uri": uri},
        index_params={"index_type": "FLAT", "metric_type": "L2"},
        auto_id=True,
    )
    store.add_texts(["Moby Dick", "Emma", "Ulysses"])
    return [document.page_content for document in store.similarity_search("Emma", k=2)]
