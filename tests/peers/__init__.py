"""The real parts that tests stand on: OpenTelemetry Collector, Jaeger, a receiving OTLP server, Docker.

What has to be built is built on first use, outside the tree (`cache.py`); what cannot be had on a machine skips the
test with the reason, or fails it under CI (`missing.py`).
"""
