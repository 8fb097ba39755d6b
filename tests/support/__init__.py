"""What the tests of the processor share: builders of spans, a turnable clock, recorded traffic, a running processor."""
