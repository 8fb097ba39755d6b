"""The OTLP wire format: envelopes as opaque bytes, spans decoded on demand, attributes encoded."""
