"""What makes traces due."""

from __future__ import annotations

DUE, SHUTDOWN = "due", "shutdown"
"""What made traces due: the store says so (time, root, complete), or the processor stops; else it is the name of a limit."""

BY_ROOT = "root"
"""Likewise where the name of its root decided early, when it came."""
FIRST_MATCH, NUM_TRACES, MAX_MEMORY, TRACE_SIZE = (
    "sample_on_first_match",
    "num_traces",
    "max_memory_mib",
    "maximum_trace_size_bytes",
)
"""The reasons in the counter of early decisions, by the names of their settings."""
MEMORY_LIMIT = "memory_limit"
"""Likewise where all the memory that there is was used up, and refusing requests did not help."""
