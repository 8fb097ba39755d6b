"""The log records of a trace, found in the files in which a Collector keeps logs."""
