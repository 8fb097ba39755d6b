"""The `redaction` processor: takes out of kept spans what must not leave."""
