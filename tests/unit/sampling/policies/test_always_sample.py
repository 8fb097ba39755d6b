from tests.support.policies import samples
from tests.support.spans import span, trace_of


def test_every_trace_is_sampled() -> None:
    assert samples(trace_of(span()), "always_sample")
    assert samples(trace_of(), "always_sample")


def test_an_empty_block_of_settings_is_taken() -> None:
    assert samples(trace_of(span()), "always_sample", {})
