"""The short form of tests.faults.balance: each fault once, with each store."""

from pathlib import Path

import pytest
from milvus_otel_processor.spans.stores import StoreKind

from tests.faults.balance import balance
from tests.support.stores import KINDS


@pytest.mark.parametrize("store", KINDS)
def test_during_all_faults_and_across_restarts_every_span_is_in_one_place(tmp_path: Path, store: StoreKind) -> None:
    outcome = balance(tmp_path, faults=9, seed=1, calm=0.5, store=store)
    assert outcome.looks > 0
    assert outcome.unbalanced == []
    assert outcome.acknowledged > 0
    assert (outcome.missing, outcome.dropped_arrived, outcome.given_up) == (0, 0, 0), outcome
    assert outcome.lost.get("malformed", 0) > 0
    assert outcome.lost.keys() <= {"malformed", "rejected"}
    assert (outcome.waiting, outcome.left_on_disk) == (0, 0), outcome
