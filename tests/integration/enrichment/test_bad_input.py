"""What networks, clocks and clients do to the access log: nothing wrong is written, and each case is counted."""

from __future__ import annotations

from random import Random

import pytest
from milvus_otel_processor.enrichment.access_log.line import split

from tests.benchmarks.coverage import measure
from tests.support.enrichment import MILLISECOND, Bench
from tests.support.made_up import Answers, Made, ask, calls
from tests.support.recordings import Recording

MINUTES = 60_000 * MILLISECOND


def some(seed: int, *, peers: int = 2, at_once: int = 3, seconds: float = 0.2, first: int = 1) -> list[Made]:
    return calls(Random(seed), peers=peers, at_once=at_once, seconds=seconds, first=first)


def log(made: list[Made]) -> list[str]:
    """The lines as Milvus writes them, in the order of their times."""
    return [one.line() for one in sorted(made, key=lambda one: one.line_end)]


def assert_right(answers: Answers, *, named: float) -> None:
    assert answers.wrong == []
    assert answers.marked_wrongly == 0
    assert answers.named >= named * answers.asked


def test_where_all_comes_nearly_all_calls_are_named_and_counted() -> None:
    bench, made = Bench(), some(1)
    assert_right(ask(bench, made, log(made)), named=0.97)
    counted = bench.telemetry.enriched_requests
    assert counted["access_log"] + counted["ambiguous"] + counted["unknown"] == len(made)
    assert bench.telemetry.access_log_lines == {"received": len(made)}


@pytest.mark.parametrize("seed", [2, 3, 21, 22, 23])
def test_spans_and_lines_in_an_order_of_chance_and_twice(seed: int) -> None:
    bench, made = Bench(), some(seed)
    lines, spans = log(made) * 2, made.copy()
    Random(seed).shuffle(lines)
    Random(seed).shuffle(spans)
    for one in lines:  # each in a request of its own, so that nothing tells their order
        bench.log(one)
    assert_right(ask(bench, spans, []), named=0.9)
    assert bench.telemetry.access_log_lines == {"received": len(made), "doubled": len(made)}


def test_lines_of_another_format_in_between_are_foreign() -> None:
    bench, made = Bench(), some(4)
    lines = [text for one in log(made) for text in (one, f"[{one.split(chr(9))[0]}] [ACCESS] <127.0.0.1> Search")]
    assert_right(ask(bench, made, lines), named=0.97)
    assert bench.telemetry.access_log_lines == {"received": len(made), "foreign": len(made)}


def test_lines_that_were_cut_are_malformed_and_their_calls_unnamed() -> None:
    bench, made, random = Bench(), some(5), Random(5)
    lines = log(made)
    cut = set(random.sample(range(len(lines)), len(lines) // 20))
    # From behind the time on: what is shorter is not known to be ours.
    lines = [
        one[: random.randrange(40, one.index("\tmsg="))] if place in cut else one for place, one in enumerate(lines)
    ]
    assert_right(ask(bench, made, lines), named=0.85)
    counted = bench.telemetry.access_log_lines
    assert (counted["malformed"], counted["received"]) == (len(cut), len(made) - len(cut))


def test_two_lines_in_one_record_are_two_and_one_glued_to_a_cut_one_is_kept_apart() -> None:
    bench, made = Bench(), some(6)
    lines = log(made)
    pairs = [f"{first}\n{second}" for first, second in zip(lines[::2], lines[1::2], strict=False)]
    assert all(len(split(pair)) == 2 for pair in pairs)
    assert_right(ask(bench, made, pairs + lines[2 * len(pairs) :]), named=0.97)
    assert bench.telemetry.access_log_lines == {"received": len(made)}
    bench = Bench()
    assert_right(ask(bench, made[:1], [f"{lines[0][:50]}{lines[1]}"]), named=0.0)
    assert bench.telemetry.access_log_lines == {"malformed": 1}


@pytest.mark.parametrize("ahead", [-7 * 60.0, 7 * 60.0], ids=["behind", "ahead"])
@pytest.mark.parametrize("version", ["2.6.16", "2.5.24"])
def test_the_processor_s_clock_may_be_minutes_away_from_milvus(version: str, ahead: float) -> None:
    """Only Milvus' times are compared with each other; how long a line is held is told by the processor's clock alone."""
    recording = Recording(version, "databases")
    assert measure(recording, ahead=ahead) == measure(recording)


@pytest.mark.parametrize("minutes", [-3, 3])
def test_lines_of_a_clock_that_is_minutes_away_from_that_of_the_spans_name_nothing(minutes: int) -> None:
    bench, made = Bench(), some(7)
    for one in made:
        one.line_end += minutes * MINUTES
    answers = ask(bench, made, log(made))
    assert_right(answers, named=0.0)
    assert answers.named == 0
    assert bench.telemetry.enriched_requests == {"unknown": len(made)}


def test_a_clock_of_milvus_that_is_set_meanwhile_costs_the_calls_of_that_moment_alone() -> None:
    bench, made = Bench(), some(8)
    middle = 100 * MILLISECOND
    for one in made:
        if one.start > middle:  # all of it begins after the clock was set back
            one.start -= MINUTES
            one.line_end -= MINUTES
        elif one.line_end > middle:  # the span ends before it was set, the line is written after
            one.line_end -= MINUTES
    assert_right(ask(bench, made, log(made)), named=0.9)
    assert bench.telemetry.enriched_requests["unknown"] > 0


def test_while_a_proxy_s_log_is_missing_its_calls_are_unknown() -> None:
    bench, made = Bench(), some(9, peers=4)
    answers = ask(bench, made, log([one for one in made if one.peer >= 5002]))
    assert_right(answers, named=0.4)
    of_missing = sum(one.peer < 5002 for one in made)
    assert bench.telemetry.enriched_requests["unknown"] >= of_missing
    assert answers.named <= len(made) - of_missing


def test_a_log_that_comes_long_after_its_spans_names_none_of_the_next_calls() -> None:
    bench, first = Bench(), some(10)
    later = some(11, first=10_000)
    for one in later:
        one.start += 30_000 * MILLISECOND
        one.line_end += 30_000 * MILLISECOND
    assert ask(bench, first, []).named == 0
    assert bench.telemetry.enriched_requests == {"unknown": len(first)}
    answers = ask(bench, later, log(first))
    assert (answers.named, answers.wrong) == (0, [])
    assert bench.telemetry.enriched_requests == {"unknown": len(first) + len(later)}


def test_lines_may_come_long_before_their_spans() -> None:
    bench, made = Bench(), some(12)
    bench.log(*log(made))
    bench.clock.now += 25
    assert_right(ask(bench, made, []), named=0.97)


def test_a_line_that_was_held_for_too_long_is_forgotten_and_its_call_unknown() -> None:
    bench, made = Bench(), some(13)
    bench.log(*log(made))
    bench.clock.now += 1_000
    other = some(14, first=10_000)
    assert ask(bench, made, log(other)[:1]).wrong == []
    assert bench.telemetry.enriched_requests["unknown"] >= len(made) - 1


def test_the_same_port_used_again_at_once_by_another_client_gets_its_own_names() -> None:
    bench, first, second = Bench(), some(15, peers=1), some(16, peers=1, first=10_000)
    end = max(one.start + one.duration for one in first)
    for one in second:  # one millisecond after the last call of the one before
        one.start += end + MILLISECOND
        one.line_end += end + MILLISECOND
    both = first + second
    Random(16).shuffle(both)
    assert_right(ask(bench, both, log(first) + log(second)), named=0.95)


@pytest.mark.parametrize("seed", [17, 18])
def test_two_proxies_that_are_called_from_the_same_address_and_port_at_the_same_time(seed: int) -> None:
    """Behind a translation of addresses that may be; which proxy a span or line is of, nothing says."""
    bench = Bench()
    one, other = some(seed, peers=1), some(seed + 100, peers=1, first=10_000)
    spans = one + other
    Random(seed).shuffle(spans)
    assert_right(ask(bench, spans, log(other) + log(one)), named=0.8)


@pytest.mark.parametrize("lost", [0.05, 0.5])
def test_lost_lines_and_spans_leave_calls_unnamed_and_make_next_to_none_wrong(lost: float) -> None:
    bench, made, random = Bench(), some(19), Random(19)
    lines = [one for one in log(made) if random.random() >= lost]
    spans = [one for one in made if random.random() >= lost]
    answers = ask(bench, spans, lines)
    assert len(answers.wrong) <= (0.02 * len(spans) if lost > 0.1 else 0)
    assert answers.marked_wrongly == 0
    assert answers.named > 0.8 * (1 - lost) * len(spans)
    assert bench.telemetry.enriched_requests["unknown"] + bench.telemetry.enriched_requests["ambiguous"] > 0


def test_many_calls_at_once_on_one_connection() -> None:
    bench, made = Bench(), some(20, peers=1, at_once=30)
    answers = ask(bench, made, log(made))
    assert len(answers.wrong) <= 0.002 * len(made)
    assert answers.named > 0.9 * len(made)
