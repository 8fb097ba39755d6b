"""Our decisions and the Collector's, over generated traces and over recorded ones."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from milvus_otel_processor.sampling.ottl.paths import PATHS

from tests.differential.blocks import Block, blocks, condition_alone
from tests.differential.compare import Kept, kept_by_collector, kept_by_us
from tests.differential.conditions import CONDITIONS, EVENT_CONDITIONS
from tests.differential.recorded_blocks import FOR_RECORDED
from tests.differential.traces import requests
from tests.support.recordings import MIXES, of_all_versions

TRACES = 1_500
SEED = 158
FEWER_TRACES = 500


def differences(configurations: Sequence[Block], sent: Sequence[bytes], theirs: Sequence[Kept]) -> list[str]:
    """A line for each configuration with which the two kept different traces, or different spans of them."""
    found = []
    for block, kept in zip(configurations, theirs, strict=True):
        ours = kept_by_us(block, sent)
        if ours != kept:
            more, less = sorted(ours.keys() - kept.keys()), sorted(kept.keys() - ours.keys())
            found.append(
                f"we keep {len(more)} more {more[:2]} and {len(less)} less {less[:2]} with {json.dumps(block)}"
            )
    return found


def test_every_path_is_in_one_of_the_conditions() -> None:
    """Those of the other contexts in either list, the rest, with or without its context in front, in its own."""
    lists = {"span": CONDITIONS, "spanevent": EVENT_CONDITIONS}
    missing = []
    for context, conditions in lists.items():
        for path in PATHS[context]:
            own = path.startswith(f"{context}.")
            name = re.escape(path.removeprefix(f"{context}."))
            pattern = rf"(?<![\w.\"])({context}\.)?{name}(?![\w.])" if own else rf"(?<![\w.\"]){name}(?![\w.])"
            looked_at = conditions if own or path.startswith("span.") else CONDITIONS + EVENT_CONDITIONS
            if not any(re.search(pattern, condition) for condition in looked_at):
                missing.append((context, path))
    # Schema URLs are a known difference, with a test of their own.
    assert [one for one in missing if "schema_url" not in one[1]] == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("error_mode", ["silent", "propagate"])
def test_each_condition_holds_for_the_same_traces_as_in_the_collector(error_mode: str, tmp_path: Path) -> None:
    sent = requests(SEED, FEWER_TRACES)
    configurations = [condition_alone("span", condition, error_mode) for condition in CONDITIONS]
    configurations += [condition_alone("spanevent", condition, error_mode) for condition in EVENT_CONDITIONS]
    theirs = kept_by_collector(configurations, sent, tmp_path)
    found = differences(configurations, sent, theirs)
    assert not found, "\n".join(found)
    telling = sum(0 < len(kept) < FEWER_TRACES for kept in theirs)
    assert telling > len(configurations) * 0.8, f"only {telling} of {len(configurations)} conditions tell traces apart"


@pytest.mark.timeout(600)
def test_recorded_traces_are_decided_as_the_collector_decides_them(tmp_path: Path) -> None:
    """Those of every version of Milvus, in one run of the Collector."""
    sent = of_all_versions()
    configurations = [
        [{"name": "policy", "type": kind, **({kind: settings} if settings else {})}] for kind, settings in FOR_RECORDED
    ]
    theirs = kept_by_collector(configurations, sent, tmp_path)
    assert not differences(configurations, sent, theirs)
    everything = len(theirs[0])
    assert everything == sum(mix.traces for mix in MIXES)
    assert all(0 < len(kept) < everything for kept in theirs[1:]), [len(kept) for kept in theirs]


@pytest.mark.timeout(1800)
def test_generated_traces_are_decided_as_the_collector_decides_them(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    count: int = request.config.getoption("--differential")
    sent = requests(SEED, TRACES)
    configurations = blocks(SEED, count)
    theirs = kept_by_collector(configurations, sent, tmp_path)
    found = differences(configurations, sent, theirs)
    assert not found, f"{len(found)} of {count} configurations differ:\n" + "\n".join(found[:20])
    # A comparison of nothing with nothing would always agree.
    telling = sum(0 < len(kept) < TRACES for kept in theirs)
    assert telling > count / 3, f"only {telling} of {count} configurations keep some traces and not all"
