"""Haystack's document store: three documents, and a pipeline that retrieves."""

from __future__ import annotations

from haystack import Document, Pipeline
from milvus_haystack import MilvusDocumentStore
from milvus_haystack.milvus_embedding_retriever import MilvusEmbeddingRetriever


def search(uri: str) -> list[str]:
    store = MilvusDocumentStore(
        collection_name="books",
        connection_args={"uri": uri},
        index_params={"index_type": "FLAT", "metric_type": "L2", "params": {}},
        drop_old=True,
    )
    texts = ("Moby Dick", "Emma", "Ulysses")
    store.write_documents([Document(content=text, embedding=[float(place)] * 8) for place, text in enumerate(texts)])
    pipeline = Pipeline()
    pipeline.add_component("retriever", MilvusEmbeddingRetriever(document_store=store, top_k=2))
    found = pipeline.run({"retriever": {"query_embedding": [1.0] * 8}})
    return [document.content for document in found["retriever"]["documents"]]
