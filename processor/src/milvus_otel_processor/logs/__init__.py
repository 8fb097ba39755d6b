"""Log records with their traces: held until the trace is decided, then passed on, or dropped with it."""
