"""Stages: what they add is there, what they fail at harms nobody, and what they cost is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from milvus_otel_processor.pipeline.own import OwnProcessorError, OwnStage, find, is_own
from milvus_otel_processor.pipeline.stages import Stages
from milvus_otel_processor.processor import Processor, Settings
from milvus_otel_processor.spans.attributes import Encoded

from tests.support.harness import ALWAYS, ERRORS, NEVER, Harness, assert_accounted, sampling
from tests.support.policies import entry
from tests.support.spans import attributes_of, encoded, span, trace_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from milvus_otel_processor.pipeline.contracts import Stage
    from milvus_otel_processor.processor import Trace
    from milvus_otel_processor.spans.contract import Trace as StoredTrace

HERE = "tests.unit.pipeline.test_stages"
GOLD = entry("string_attribute", {"key": "tier", "values": ["gold"]}, "gold")


class Seen(Processor[Settings]):
    """Notes what it is shown, and says it on the spans."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.events: list[str] = []

    def start(self) -> None:
        self.events.append("start")

    def stop(self, timeout: float) -> None:
        self.events.append(f"stop {timeout}")

    def process(self, trace: Trace) -> None:
        self.events.append(f"{len(trace.spans)} of {int(trace.id, 16)}")
        for one in trace.spans:
            one.add("tier", "gold" if one.name == "request" else "silver")


class Failing(Processor[Settings]):
    """Fails at the second span."""

    def process(self, trace: Trace) -> None:
        for number, one in enumerate(trace.spans):
            one.add("partly", number)
            if number:
                raise LookupError("no such tenant")


class Unwilling(Processor[Settings]):
    """Cannot be started."""

    def start(self) -> None:
        raise OSError("the licence server is away")

    def process(self, trace: Trace) -> None:
        raise NotImplementedError


def harness(before: list[Stage], after: list[Stage] | None = None, *policies: dict[str, object]) -> Harness:
    made = Harness(sampling(*(policies or (ALWAYS,))))
    stages = Stages(before, after or [], made.telemetry, made.clock)
    for user in (made.pipeline, made.pipeline._wishes, made.pipeline._late, made.pipeline._decider._judge):
        monkey: Any = user
        monkey._stages = stages
    return made


def own(kind: type[Processor[Any]], name: str = "") -> OwnStage:
    return OwnStage(f"{HERE}:{kind.__name__}{name}", Settings())


def events(stage: OwnStage) -> list[str]:
    assert isinstance(stage._processor, Seen)
    return stage._processor.events


def test_rules_see_what_a_processor_adds() -> None:
    made = harness([own(Seen)], None, GOLD)
    made.put(span(1, name="request"), span(2, name="other"))
    made.decide_all()
    assert [attributes_of(one)["tier"] for one in made.exporter.spans] == ["gold"]
    assert_accounted(made.snapshot())


def test_behind_the_rules_it_sees_kept_traces_alone() -> None:
    stage = own(Seen)
    made = harness([], [stage], ERRORS)
    made.put(span(1), span(2, status=2))
    made.decide_all()
    assert events(stage) == ["1 of 2"]
    assert [attributes_of(one)["tier"] for one in made.exporter.spans] == ["gold"]


def test_a_late_span_is_a_trace_of_one() -> None:
    stage = own(Seen)
    made = harness([stage])
    made.put(span(1, 1), span(1, 2, parent=1))
    made.decide_all()
    made.put(span(1, 3, parent=1, name="late"))
    assert events(stage) == ["2 of 1", "1 of 1"]
    assert [attributes_of(one)["tier"] for one in made.exporter.spans] == ["gold", "gold", "silver"]


def test_a_fault_costs_nothing_but_what_it_would_have_added(caplog: pytest.LogCaptureFixture) -> None:
    made = harness([own(Failing), own(Seen)])
    assert made.snapshot().stage_failures == {
        f"{HERE}:Failing": 0,
        f"{HERE}:Seen": 0,
    }  # what rises from nothing is not seen
    made.put(span(1, 1), span(1, 2, parent=1), span(2, 1))
    made.decide_all()
    assert [attributes_of(one) for one in made.exporter.spans] == [
        {"tier": "gold", "tailsampling.policy": "everything"},
        {"tier": "gold", "tailsampling.policy": "everything"},
        {"partly": 0, "tier": "gold", "tailsampling.policy": "everything"},
    ]
    after = made.snapshot()
    assert +after.stage_failures == {f"{HERE}:Failing": 1}
    assert after.lost_spans == {}
    assert "no such tenant" in caplog.text
    assert caplog.records[0].exc_info is not None
    assert_accounted(after)


def test_an_attribute_that_is_there_stays_as_it_is() -> None:
    made = harness([own(Seen)])
    made.put(span(1, attributes={"tier": "bronze"}))
    made.decide_all()
    assert attributes_of(made.exporter.spans[0])["tier"] == "bronze"


def test_a_malformed_span_is_left_out_and_the_others_are_seen() -> None:
    stage = own(Seen)
    made = harness([stage])
    made.pipeline.ingest(encoded(span(1, 1)))
    bad = span(1, 2, parent=1).SerializeToString() + b"\x2a\x7f"
    made.pipeline.ingest(_request(bad))
    made.decide_all()
    assert made.exporter.names == ["request"]
    assert made.snapshot().lost_spans == {"malformed": 1}
    assert not +made.snapshot().stage_failures


def _request(serialized: bytes) -> bytes:
    def delimited(number: int, content: bytes) -> bytes:
        return bytes((number << 3 | 2, len(content))) + content

    return delimited(1, delimited(2, delimited(2, serialized)))


def test_what_stages_cost_is_measured() -> None:
    telemetry = Harness().telemetry
    ticks = iter(range(100))
    stages = Stages([own(Seen)], [], telemetry, lambda: 0.0, stopwatch=lambda: float(next(ticks)))
    common, left = stages.before_decision(trace_of(span(1)), rules_read=False)
    assert (common, list(left)) == ([], [])
    assert telemetry.stage_seconds == {f"{HERE}:Seen": 1.0}


class Known:
    """A stage of our own kind."""

    sees_all = False

    def __init__(self, name: str, *, has_to_see: bool = False) -> None:
        self.name = name
        self._has_to_see = has_to_see

    def wants(self, *, rules_read: bool) -> None:
        return

    def unwanted(self, calls: int) -> None: ...

    def start(self) -> None: ...

    def stop(self, timeout: float) -> None: ...

    def on_request(self, request: bytes) -> None: ...

    def has_to_see(self, trace: StoredTrace) -> bool:
        del trace
        return self._has_to_see

    def on_trace(self, trace: StoredTrace) -> Encoded:
        trace.append((0,), Encoded([(self.name, True)]).all)
        return Encoded([(self.name, True)])

    def on_late_span(self, trace: StoredTrace) -> None: ...


@pytest.mark.parametrize(
    ("stages", "rules_read", "seen"),
    [
        (lambda: [Known("a")], False, []),
        (lambda: [Known("a")], True, ["a"]),
        (lambda: [Known("a", has_to_see=True)], False, ["a"]),
        (lambda: [Known("a"), own(Seen), Known("b")], False, ["a", "tier"]),
    ],
    ids=["no rule reads", "a rule reads", "it has to", "one behind it sees all"],
)
def test_a_stage_sees_a_trace_before_the_rules_only_where_someone_could_tell(
    stages: Callable[[], list[Stage]], rules_read: bool, seen: list[str]
) -> None:
    made = Stages(stages(), [], Harness().telemetry, lambda: 0.0)
    trace = trace_of(span(1))
    made.before_decision(trace, rules_read=rules_read)
    assert sorted(attributes_of(trace.spans[0])) == seen


def test_what_is_not_kept_is_not_seen_where_no_rule_reads() -> None:
    kept, dropped = (harness([Known("a")], None, rule) for rule in (ALWAYS, NEVER))
    for made in (kept, dropped):
        made.put(span(1))
        made.decide_all()
    assert "a" in attributes_of(kept.exporter.spans[0])
    assert kept.snapshot().stage_seconds.keys() == {"a"}
    assert dropped.snapshot().stage_seconds == {}


def test_all_are_stopped_also_behind_one_that_fails_at_it() -> None:
    class Stubborn(Known):
        def stop(self, timeout: float) -> None:
            raise RuntimeError("no")

    telemetry, stage = Harness().telemetry, own(Seen)
    stages = Stages([Stubborn("stubborn"), stage], [], telemetry, lambda: 0.0)
    stages.start()
    stages.stop(lambda: 3.0)
    assert events(stage) == ["start", "stop 3.0"]
    assert +telemetry.stage_failures == {"stubborn": 1}


def test_one_that_cannot_start_says_why() -> None:
    with pytest.raises(
        OwnProcessorError, match=r"processors\..*:Unwilling: cannot start: OSError: the licence server is away"
    ):
        own(Unwilling).start()


def test_names_of_classes() -> None:
    assert is_own("my_package.module:Class/two")
    assert not is_own("milvus/a:b")
    assert find(f"{HERE}:Seen/two") is Seen
    with pytest.raises(OwnProcessorError, match="is no processor"):
        find(f"{HERE}:Known")


class TestSpan:
    """What a processor reads."""

    def only(self, **fields: Any) -> Any:
        from milvus_otel_processor.processor import Trace

        return Trace(trace_of(span(1, 2, parent=1, **fields), resource={"service.name": "shop"})).spans[0]

    def test_it_says_all_of_itself(self) -> None:
        one = self.only(
            name="größe", status=2, start_ms=3, end_ms=9, attributes={"a": [1, "x"], "b": {"c": True}, "d": 1.5}
        )
        assert (one.name, one.kind, one.status) == ("größe", "SERVER", "ERROR")
        assert (one.span_id, one.parent_span_id) == ("0000000000000002", "0000000000000001")
        assert (one.start_time_unix_nano, one.end_time_unix_nano) == (3_000_000, 9_000_000)
        assert one.attributes == {"a": [1, "x"], "b": {"c": True}, "d": 1.5}
        assert one.resource == {"service.name": "shop"}
        assert (one.attribute("d"), one.attribute("e")) == (1.5, None)

    @pytest.mark.parametrize(
        ("key", "value", "error"),
        [
            ("", 1, ValueError),
            (7, 1, ValueError),
            ("k", None, TypeError),
            ("k", b"x", TypeError),
            ("k", {"a": 1}, TypeError),
            ("k", [1, [2]], TypeError),
            ("k", 1 << 63, ValueError),
        ],
    )
    def test_what_cannot_be_written_is_refused_at_once(self, key: Any, value: Any, error: type[Exception]) -> None:
        with pytest.raises(error):
            self.only().add(key, value)
