"""The benchmark measures what it says: a short run of each program, in which both keep the same traces."""

from __future__ import annotations

import os
import sys

import pytest

from tests.benchmarks.processor.mixes import MIXES, load
from tests.benchmarks.processor.programs import programs
from tests.benchmarks.processor.run import measure
from tests.peers.collector import collector_binary
from tests.peers.missing import missing

WAIT = 1.0


def test_both_keep_the_same_traces_and_every_figure_is_there() -> None:
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        missing("the benchmark wants Linux and two cores")
    collector_binary()
    warm, requests = (load(MIXES["busy"], spans, 1000, seed) for spans, seed in ((1000, 1), (5000, 2)))
    (peer, kept_by_peer), (ours, kept) = (measure(program, warm, requests) for program in programs(["auto"], WAIT))
    assert kept == kept_by_peer
    assert peer.kept == ours.kept > 0
    assert peer.spans == ours.spans == pytest.approx(5000, rel=0.5)
    for run in (peer, ours):
        assert run.microseconds_per_span > 0
        assert run.peak_mib >= run.idle_mib > 10
        assert run.spans_per_second > 0
        assert -1 < run.decision_latency < 60
