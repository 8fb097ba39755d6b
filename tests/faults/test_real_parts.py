"""The short forms of tests.faults.real_parts: faults of all three, and none but changes of connection."""

from pathlib import Path

from tests.faults.real_parts import real_parts


def test_what_the_collector_acknowledged_is_in_jaeger_whichever_of_the_three_is_killed_or_away(tmp_path: Path) -> None:
    outcome = real_parts(tmp_path, ["kill", "jaeger frozen", "collector killed", "stop"], seconds=0.5, seed=1)
    assert outcome.acknowledged > 0
    assert (outcome.missing, outcome.given_up, outcome.left_on_disk) == (0, 0, 0), outcome


def test_a_collector_that_is_told_to_make_new_connections_has_to_send_nothing_again(tmp_path: Path) -> None:
    outcome = real_parts(tmp_path, [], connection_age=2.0)
    assert outcome.connections_left >= 2, outcome
    assert (outcome.missing, outcome.tried_again, outcome.given_up) == (0, 0, 0), outcome
