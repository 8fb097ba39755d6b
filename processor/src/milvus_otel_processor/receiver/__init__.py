"""The way in: OTLP over gRPC."""
