"""`milvus-otel demo`: a real Milvus, two applications and the processor, and what came out of them."""
