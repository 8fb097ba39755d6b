"""Receives OTLP traces, enriches them with the Milvus collection they touch, and keeps whole traces by rules."""
