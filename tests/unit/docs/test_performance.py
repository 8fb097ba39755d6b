"""The figures in README.md and docs/performance.md are those of the committed measurement, and so is the picture."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.processor.pages import (
    FIGURES,
    PERFORMANCE,
    PICTURE,
    README,
    STEPS,
    bytes_per_span,
    performance,
    readme,
    sizes,
    written,
)
from tests.benchmarks.processor.report import mixes_table, plot
from tests.benchmarks.processor.results import BUILT_IN, COLLECTOR, NATIVE, REFERENCE, Compared, Results, Run, read
from tests.benchmarks.processor.sweeps import POLICIES, policies

HOW = "python -m tests.benchmarks.processor.pages"
MEASURED = read(FIGURES)


def test_the_readme_has_the_figures_that_were_measured() -> None:
    page = README.read_text(encoding="utf-8")
    assert written(page, readme(MEASURED)) == page, HOW


def test_the_page_on_performance_has_the_figures_that_were_measured() -> None:
    page = PERFORMANCE.read_text(encoding="utf-8")
    assert written(page, performance(MEASURED, json.loads(STEPS.read_text(encoding="utf-8")))) == page, HOW


def test_the_picture_shows_the_figures_that_were_measured() -> None:
    assert plot(MEASURED) == PICTURE.read_text(encoding="utf-8"), HOW


def test_every_mix_was_measured_with_both_stores_beside_the_collector_and_the_same_traces_were_kept() -> None:
    assert [mix.mix for mix in MEASURED.mixes] == ["recorded", "busy", "wide"]
    for mix in MEASURED.mixes:
        assert {COLLECTOR, NATIVE, REFERENCE} <= set(mix.programs())
        alone = [run.kept_by_one_alone for pair in mix.pairs for run in pair if run.program != BUILT_IN]
        assert set(alone) == {0}


def run(program: str, cost: float, idle_mib: float = 50.0, peak_mib: float = 60.0) -> Run:
    return Run(program, 1000, cost, idle_mib, peak_mib, 100_000.0, 0.5, 10, 0)


PAIRS = [
    [run(COLLECTOR, 8.0), run(NATIVE, 2.0)],
    [run(COLLECTOR, 12.0), run(NATIVE, 2.0, peak_mib=30.0)],
    [run(COLLECTOR, 9.0), run(NATIVE, 3.0)],
]


def test_ratios_are_taken_within_pairs_and_their_median_is_told() -> None:
    head, _, collector, native = mixes_table([Compared("busy", PAIRS)]).splitlines()
    assert head.count("|") == native.count("|")
    assert "| busy | collector | 9.00 (8.00-12.00) | 1.0 |" in collector
    assert "| busy | native | 2.00 (2.00-3.00) | 4.0 | 60 (30-60) | 1.00 |" in native


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = Results(
        "2026-01-01", "2 cores", 6.0, 3.5, [Compared("busy", PAIRS)], {"load": {NATIVE: [{"wanted": 1000}]}}
    )
    results.write(tmp_path / "figures.json")
    assert read(tmp_path / "figures.json") == results


def test_the_size_of_a_machine_follows_from_what_was_measured_at_that_load() -> None:
    busy = Compared("busy", [[run(NATIVE, 1.0, idle_mib=50.0, peak_mib=51.0), run(REFERENCE, 9.0, peak_mib=52.0)]])
    loads = {
        NATIVE: [{"wanted": 100_000, "microseconds_per_span": 2.0}],
        REFERENCE: [{"wanted": 100_000, "microseconds_per_span": 12.0}],
    }
    idle = {NATIVE: [{"mib": 80.0}], REFERENCE: [{"mib": 90.0}]}
    results = Results("2026-01-01", "", 6.0, 1.0, [busy], {"load": loads, "idle": idle})
    assert bytes_per_span(results, NATIVE) == pytest.approx(2**20 / 1000)
    line = sizes(results).splitlines()[-1]
    assert line == "| 100,000 | 20 % of a core | 1.2 cores: several processors | 1,000,000 | 1.1 GiB | 2.0 GiB |"


def test_a_page_without_a_place_for_a_part_is_an_error() -> None:
    assert written("a\n<!-- measured: x -->\nold\n<!-- end of x -->\nb", {"x": "new"}).splitlines()[2] == "new"
    with pytest.raises(ValueError, match="no part 'y'"):
        written("a", {"y": "new"})


@pytest.mark.parametrize("count", POLICIES)
def test_a_sweep_over_policies_has_so_many_and_no_two_ask_the_same(count: int) -> None:
    found = policies(count)
    assert len({policy["name"] for policy in found}) == count
    bare = [{key: value for key, value in policy.items() if key != "name"} for policy in found]
    assert all(policy not in bare[:number] for number, policy in enumerate(bare))
