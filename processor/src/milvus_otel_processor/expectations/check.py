"""Compares what becomes of a trace with what is expected of it."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.config.problems import did_you_mean, one_of
from milvus_otel_processor.expectations.written import message, unlucky_trace_id
from milvus_otel_processor.replay.access_log import read_access_log
from milvus_otel_processor.replay.left_out import LeftOut
from milvus_otel_processor.replay.no_trace import NoTraceError, check_traces
from milvus_otel_processor.replay.recording import RecordingError, read
from milvus_otel_processor.replay.runner import Run
from milvus_otel_processor.replay.watch import ExplainedRules
from milvus_otel_processor.sampling.decision import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from milvus_otel_processor.config import Config
    from milvus_otel_processor.config.problems import Place
    from milvus_otel_processor.expectations.model import Expectation, ExpectationSettings
    from milvus_otel_processor.replay.explained import Explained
    from milvus_otel_processor.replay.recording import Message
    from milvus_otel_processor.sampling.decision import Verdict
    from milvus_otel_processor.sampling.explanation import Explanation
    from milvus_otel_processor.telemetry.counters import Snapshot


class Result(NamedTuple):
    """What came of an expectation."""

    name: str
    place: Place
    seconds: float
    difference: tuple[str, ...] = ()
    """In words, one line each; empty where all is as expected."""
    is_error: bool = False
    """Whether it could not be told at all."""


def check(expectation: Expectation, config: Config, folder: Path) -> Result:
    """Return what came of one expectation, by these rules; paths in it are relative to `folder`."""
    began = perf_counter()
    settings = expectation.settings
    is_error = False
    try:
        difference = tuple(_difference(settings, config, folder, str(expectation.place)))
    except RecordingError as error:
        difference, is_error = (str(error),), True
    return Result(settings.name, expectation.place, perf_counter() - began, difference, is_error)


def _difference(settings: ExpectationSettings, config: Config, folder: Path, place: str) -> Iterator[str]:
    if config.tail_sampling is None:
        raise RecordingError("the pipeline has no tail_sampling processor, so that every trace is kept")
    expected = settings.kept_by or settings.dropped_by
    names = [policy.name for policy in config.tail_sampling.policies]
    if expected is not None and expected not in names:
        yield f"expected: {_expected(settings)}"
        yield f"but there is no policy {expected!r}, {one_of(names)}{did_you_mean(expected, names)}"
        return
    trace_id = (
        bytes.fromhex(settings.trace_id) if settings.trace_id is not None else unlucky_trace_id(config.tail_sampling)
    )
    left_out = LeftOut()
    found, counted = _explained(trace_id, _messages(settings, trace_id, folder, place, left_out), config)
    if found is None:
        if settings.recording is not None:
            _check_traces(folder / settings.recording, counted, left_out)
        raise RecordingError(f"no trace {trace_id.hex()} was decided: no valid span of it is in {settings.recording}")
    verdict = found.explanation.verdict
    if not _is_expected(settings, verdict):
        yield f"expected: {_expected(settings)}"
        yield f"but it is {_words(verdict)}"
        yield from _reasons(found, expected)


def _check_traces(recording: Path, counted: Snapshot, left_out: LeftOut) -> None:
    try:
        check_traces([recording], counted)
    except NoTraceError as error:
        raise NoTraceError("; ".join([str(error), *left_out.lines()])) from None


def _messages(
    settings: ExpectationSettings, trace_id: bytes, folder: Path, place: str, left_out: LeftOut
) -> list[Iterable[Message]]:
    if settings.trace is not None:
        return [[message(settings.trace, trace_id, place)]]
    assert settings.recording is not None
    logs = [read_access_log(folder / settings.access_log)] if settings.access_log is not None else []
    return [read(folder / settings.recording, left_out), *logs]


def _explained(
    trace_id: bytes, recordings: list[Iterable[Message]], config: Config
) -> tuple[Explained | None, Snapshot]:
    run = Run(config, rules=ExplainedRules, store_kind=config.store)
    rules = run.rules
    assert isinstance(rules, ExplainedRules)
    rules.wanted = trace_id
    outcome = run.play(recordings, until=lambda: rules.found is not None)
    return rules.found, outcome.counted


def _is_expected(settings: ExpectationSettings, verdict: Verdict) -> bool:
    is_kept = verdict.decision is Decision.SAMPLED
    if settings.kept_by is not None:
        return is_kept and verdict.policy == settings.kept_by
    if settings.dropped_by is not None:
        return verdict.decision is Decision.DROPPED and verdict.policy == settings.dropped_by
    return is_kept == settings.kept


def _expected(settings: ExpectationSettings) -> str:
    if settings.kept_by is not None:
        return f"kept by {settings.kept_by}"
    if settings.dropped_by is not None:
        return f"dropped by {settings.dropped_by}"
    return "kept" if settings.kept else "not kept"


def _words(verdict: Verdict) -> str:
    by = f" by {verdict.policy}" if verdict.policy is not None else ""
    return {Decision.SAMPLED: "kept", Decision.DROPPED: "dropped"}.get(verdict.decision, "not kept") + by


def _reasons(found: Explained, expected: str | None) -> Iterator[str]:
    """Yield why the policy that was expected did not decide, and the one that did; where none is meant, what each says."""
    verdict = found.explanation.verdict
    telling = {name for name in (expected, verdict.policy) if name is not None}
    for one in found.explanation.policies:
        if not telling or one.name in telling:
            yield from _lines(one.name, one.explanation, 1)


def _lines(name: str, explanation: Explanation, depth: int) -> Iterator[str]:
    decision = explanation.decision
    words = decision.value.replace("_", " ") if decision is not None else "not asked"
    yield f"{'  ' * depth}{name} {words}: {explanation.reason}"
    for below, answer in explanation.inside:
        yield from _lines(below, answer, depth + 1)
