"""The OTLP/gRPC exporter: a bounded queue of kept spans, batches, retries with back-off."""
