"""What this instrumentation instruments; the distribution's extra ``instruments`` says the same."""

_instruments = ("pymilvus >= 2.5, < 4",)
