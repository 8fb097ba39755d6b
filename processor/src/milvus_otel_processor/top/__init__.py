"""`milvus-otel top`: all requests of the last minutes as a table that keeps itself up to date."""
