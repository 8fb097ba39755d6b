import pytest

from tests.support.policies import samples
from tests.support.spans import span, trace_of


@pytest.mark.parametrize(
    ("flags", "sampled"), [(0, False), (1, True), (2, False), (3, True), (0x100, False), (0x101, True), (0x1FE, False)]
)
def test_only_the_sampled_bit_counts(flags: int, sampled: bool) -> None:
    flagged = span(1, 2)
    flagged.flags = flags
    assert samples(trace_of(span(), flagged), "trace_flags") is sampled
