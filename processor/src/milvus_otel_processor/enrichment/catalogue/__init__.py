"""What Milvus says of its collections, read in the background."""
