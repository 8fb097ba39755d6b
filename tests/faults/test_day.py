"""The short form of tests.faults.day."""

from tests.faults.day import hours


def test_memory_does_not_grow_with_the_hours() -> None:
    found = list(hours(8, minutes=5))
    # What is remembered for a while is there by then; a leak of the long texts alone would be 15 MiB more.
    assert found[-1].resident_mib - found[4].resident_mib < 8, found
    assert found[-1].spans > found[4].spans
