"""What this instrumentation instruments; ``opentelemetry-instrument`` reads the same list from the distribution's extra."""

_instruments = ("pymilvus >= 2.5, < 4",)
