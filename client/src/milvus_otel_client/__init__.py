"""OpenTelemetry instrumentation for pymilvus whose traces join the ones of Milvus itself."""
