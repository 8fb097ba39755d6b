"""The counters."""

from concurrent.futures import ThreadPoolExecutor

from milvus_otel_processor.telemetry.counters import Amount, Lost, Refused, Snapshot, Telemetry


def test_at_the_start_there_is_nothing() -> None:
    assert Telemetry().snapshot() == Snapshot()


def test_a_snapshot_stays_as_it_was() -> None:
    telemetry = Telemetry()
    before = telemetry.snapshot()
    telemetry.tally("sampled", "errors").add(3)
    telemetry.lost(Lost.REJECTED, 2, queued=False)
    telemetry.refused_spans[Refused.INVALID_TRACE_ID.value] += 1
    telemetry.late_spans["sampled"] += 1
    assert before == Snapshot()


def test_traces_and_spans_are_counted_by_decision_and_policy() -> None:
    telemetry = Telemetry()
    telemetry.tally("sampled", "errors").add(3)
    telemetry.tally("sampled", "errors").add(4)
    telemetry.tally("sampled", "slow").add(1)
    telemetry.tally("not_sampled").add(5)
    assert telemetry.snapshot().decisions == {
        ("sampled", "errors"): Amount(2, 7),
        ("sampled", "slow"): Amount(1, 1),
        ("not_sampled", ""): Amount(1, 5),
    }


def test_queued_spans_leave_the_queue_as_exported_or_as_lost() -> None:
    telemetry = Telemetry()
    telemetry.queued(10)
    telemetry.exported(4)
    telemetry.lost(Lost.REJECTED, 3)
    telemetry.lost(Lost.MALFORMED, 9, queued=False)
    after = telemetry.snapshot()
    assert (after.queued_spans, after.exported_spans) == (3, 4)
    assert after.lost_spans == {"rejected": 3, "malformed": 9}


def test_threads_that_count_at_once_lose_nothing() -> None:
    telemetry = Telemetry()

    def work() -> None:
        for _ in range(2000):
            telemetry.queued(3)
            telemetry.exported(1)
            telemetry.lost(Lost.REJECTED, 1)
            telemetry.retried()
            telemetry.refused_request(Refused.MALFORMED_REQUEST)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(work) for _ in range(4)]:
            done.result()
    after = telemetry.snapshot()
    assert (after.queued_spans, after.exported_spans, after.lost_spans) == (8000, 8000, {"rejected": 8000})
    assert (after.retries, after.refused_requests) == (8000, {"malformed_request": 8000})
