"""Decisions compared with those of the Collector's `tail_sampling`: the same spans, the same YAML block, the same traces kept."""
