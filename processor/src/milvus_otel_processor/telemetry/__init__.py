"""What the processor says of itself: counters, metrics, log."""
