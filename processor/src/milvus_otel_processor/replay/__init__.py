"""Recorded traffic through the processor's own code: what the rules would have kept of it."""
