from __future__ import annotations

import io
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from milvus_otel_processor.components import StageSettings
from milvus_otel_processor.enrichment.settings import MilvusSettings
from milvus_otel_processor.replay.recording import Message, RecordingError
from milvus_otel_processor.replay.runner import replay
from milvus_otel_processor.sampling.settings import TailSamplingSettings
from milvus_otel_processor.telemetry.counters import Amount, Snapshot

from tests.support.harness import ALWAYS, ERRORS, drop_roots
from tests.unit.replay.recordings import SECOND, START, request, span, unsized

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

NO_HEARTBEATS = drop_roots("heartbeat", name="no-heartbeats")


@dataclass
class Rules:
    tail_sampling: TailSamplingSettings | None
    milvus: MilvusSettings | None = field(default=None)

    @property
    def stages(self) -> list[StageSettings]:
        return [StageSettings("milvus", self.milvus)] if self.milvus is not None else []


def rules(*policies: dict[str, Any], **settings: Any) -> Rules:
    return Rules(TailSamplingSettings.model_validate({"decision_wait": "10s", "policies": [*policies], **settings}))


def message(*spans: Span) -> Message:
    latest = max((span.end_time_unix_nano for span in spans), default=0)
    return Message(request(*spans), latest, "here")


def every_span_is_counted(counted: Snapshot) -> bool:
    decided = sum(amount.spans for amount in counted.decisions.values())
    return counted.received_spans == decided + sum(counted.late_spans.values()) + sum(counted.refused_spans.values())


def test_a_replay_decides_as_the_processor_does() -> None:
    recording = [
        message(span(1, end=0, error=True), span(2, end=0), span(3, end=0, name="heartbeat")),
        message(span(1, end=1, own=2, parent=1)),
    ]
    counted = replay([recording], rules(NO_HEARTBEATS, ERRORS)).counted
    assert counted.decisions == {
        ("dropped", "no-heartbeats"): Amount(1, 1),
        ("sampled", "errors"): Amount(1, 2),
        ("not_sampled", ""): Amount(1, 1),
    }
    assert (counted.exported_spans, counted.waiting_spans, counted.queued_spans) == (2, 0, 0)
    assert every_span_is_counted(counted)


def test_the_wait_goes_by_the_recordings_clock() -> None:
    late = [message(span(1, end=0)), message(span(9, end=30)), message(span(1, end=31, error=True))]
    in_time = [message(span(1, end=0)), message(span(9, end=9)), message(span(1, end=9.5, error=True))]
    assert replay([late], rules(ERRORS)).counted.late_spans == {"not_sampled": 1}
    assert replay([in_time], rules(ERRORS)).counted.decisions[("sampled", "errors")] == Amount(1, 2)


def test_a_trace_is_decided_between_requests_and_not_only_with_them() -> None:
    # The second request has a span of the trace, but comes after the end of its wait: the decision was before it.
    recording = [message(span(1, end=0)), message(span(1, end=10.5, error=True))]
    assert replay([recording], rules(ERRORS)).counted.late_spans == {"not_sampled": 1}


def test_a_gap_of_years_takes_no_time() -> None:
    counted = replay([[message(span(1, end=0)), message(span(2, end=1e9))]], rules(ERRORS)).counted
    assert counted.decisions == {("not_sampled", ""): Amount(2, 2)}


def test_the_seconds_are_those_between_the_requests() -> None:
    assert replay([[message(span(1, end=2)), message(span(2, end=5))]], rules(ERRORS)).seconds == 3


def test_what_is_kept_is_written_as_it_came_with_the_reason_appended() -> None:
    out = io.BytesIO()
    kept = span(1, error=True)
    replay([[message(kept, span(2))]], rules(ERRORS), out)
    (written,) = unsized(out.getvalue())
    (resource_spans,) = written.resource_spans
    assert resource_spans.resource.attributes[0].value.string_value == "app"
    (found,) = resource_spans.scope_spans[0].spans
    assert kept.SerializeToString() in out.getvalue()
    assert [(pair.key, pair.value.string_value) for pair in found.attributes] == [("tailsampling.policy", "errors")]


def test_many_kept_spans_are_written_in_several_messages_and_none_is_missing() -> None:
    out = io.BytesIO()
    recording = [message(*(span(trace + 1, end=trace / 1000, error=True) for trace in range(20_000)))]
    counted = replay([recording], rules(ERRORS), out).counted
    written = unsized(out.getvalue())
    assert len(written) == 3
    assert sum(len(one.resource_spans[0].scope_spans[0].spans) for one in written) == counted.exported_spans == 20_000


def test_without_rules_everything_is_kept_at_once() -> None:
    counted = replay([[message(span(1), span(2)), message(span(1, end=1))]], Rules(None)).counted
    assert counted.exported_spans == 3
    assert every_span_is_counted(counted)


def test_spans_are_enriched_without_milvus() -> None:
    searching = span(1, error=True)
    for key, value in (("db.system", "milvus"), ("db.milvus.search.collection_name", "products")):
        searching.attributes.add(key=key).value.string_value = value
    configured = Rules(rules(ERRORS).tail_sampling, MilvusSettings.model_validate({"uri": "http://127.0.0.1:1"}))
    out = io.BytesIO()
    assert replay([[message(searching)]], configured, out).counted.enriched_spans == {"client": 1}
    (found,) = unsized(out.getvalue())[0].resource_spans[0].scope_spans[0].spans
    assert ("db.collection.name", "products") in [(pair.key, pair.value.string_value) for pair in found.attributes]


def test_the_answer_is_the_same_for_two_recordings_and_for_one_that_has_both() -> None:
    random = Random(6)
    messages = [
        message(*(span(random.randrange(1, 200), end=end, error=random.random() < 0.1, own=own) for own in range(1, 9)))
        for end in range(60)
    ]
    one = replay([messages], rules(ERRORS)).counted
    two = replay([messages[1::2], messages[::2]], rules(ERRORS)).counted
    assert one == two
    assert every_span_is_counted(one)


def test_spans_without_a_valid_trace_id_and_malformed_spans_are_counted() -> None:
    malformed = bytearray(request(span(1, error=True)))
    malformed[-2] = 0x12  # the status now holds a text that is longer than it
    recording = [message(span(0)), Message(bytes(malformed), START, "here")]
    counted = replay([recording], rules(ALWAYS)).counted
    assert counted.refused_spans == {"invalid_trace_id": 1}
    assert counted.lost_spans == {"malformed": 1}
    assert every_span_is_counted(counted)


def test_a_message_that_is_no_request_is_named() -> None:
    with pytest.raises(RecordingError, match=r"^there: not an ExportTraceServiceRequest"):
        replay([[Message(b"\x0a\xff", START + SECOND, "there")]], rules(ERRORS))


def test_an_empty_recording_has_an_empty_outcome() -> None:
    outcome = replay([[]], rules(ERRORS))
    assert outcome.counted == Snapshot()
    assert outcome.seconds == 0
