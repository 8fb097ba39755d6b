"""What a span costs in the processor, and in the Collector's `tail_sampling`: `python -m tests.benchmarks.processor`."""
