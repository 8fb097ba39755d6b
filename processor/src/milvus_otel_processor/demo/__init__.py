"""`milvus-otel demo`: a real Milvus, an instrumented application and the processor, and what came out of them."""
