"""Spans as bytes: the only place that knows how OTLP writes them."""
