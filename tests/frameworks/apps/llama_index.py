"""LlamaIndex' vector store: an index of three documents, and a retriever."""

from __future__ import annotations

from llama_index.core import Document, MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.vector_stores.milvus import MilvusVectorStore


def search(uri: str) -> list[str]:
    store = MilvusVectorStore(uri=uri, collection_name="books", dim=8, overwrite=True)
    index = VectorStoreIndex.from_documents(
        [Document(text=text) for text in ("Moby Dick", "Emma", "Ulysses")],
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=MockEmbedding(embed_dim=8),
    )
    return [found.text for found in index.as_retriever(similarity_top_k=2).retrieve("Emma")]
