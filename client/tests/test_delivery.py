"""What is delivered, what is not, and how long anybody waits for it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from milvus_otel_client.delivery import Delivery, DeliveryProcessor
from milvus_otel_client.process_end import ProcessEnd
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

FOREVER = 1e9


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Exporter(SpanExporter):
    """Answers when it is let go."""

    def __init__(self, result: SpanExportResult = SpanExportResult.SUCCESS) -> None:
        self.result = result
        self.go = threading.Event()
        self.started = threading.Event()
        self.names: list[str] = []
        self.is_shut_down = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.started.set()
        self.go.wait()
        self.names += [span.name for span in spans]
        return self.result

    def shutdown(self) -> None:
        self.is_shut_down = True
        self.go.set()


class Setting:
    def __init__(self, result: SpanExportResult = SpanExportResult.SUCCESS, timeout: float = 5) -> None:
        self.clock = Clock()
        self.exporter = Exporter(result)
        self.delivery = Delivery(lambda: self.exporter, self.clock)
        self.processor = DeliveryProcessor(self.delivery, 2048, 3_600_000, 512, 30_000)
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(self.processor)
        self.end = ProcessEnd(timeout, self.clock)
        self.end.tracer_provider = self.provider
        self.end.add_processor(self.processor, "http://receiver:4317")

    def make_spans(self, *names: str) -> None:
        for name in names:
            self.provider.get_tracer("app").start_span(name).end()


@pytest.fixture
def setting() -> Iterator[Setting]:
    setting = Setting()
    yield setting
    setting.exporter.go.set()
    setting.provider.shutdown()


def test_what_the_exporter_takes_is_delivered(setting: Setting) -> None:
    setting.exporter.go.set()
    setting.make_spans("a", "b")
    assert setting.processor.undelivered() == 2
    assert setting.end.flush(FOREVER)
    assert (setting.processor.undelivered(), setting.exporter.names) == (0, ["a", "b"])


def test_what_the_exporter_fails_on_is_told_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    setting = Setting(SpanExportResult.FAILURE)
    setting.exporter.go.set()
    setting.make_spans("a")
    setting.end.end()
    (record,) = caplog.records
    assert record.getMessage() == (
        "milvus_otel_client: 1 span lost at the end of the process: "
        "http://receiver:4317 did not take them within 5 s (exit_timeout)"
    )
    assert setting.exporter.is_shut_down


def test_an_exporter_that_raises_is_logged_and_its_spans_are_lost(caplog: pytest.LogCaptureFixture) -> None:
    setting = Setting()
    setting.exporter.export = lambda _: 1 / 0  # type: ignore[method-assign,assignment]
    setting.make_spans("a")
    setting.end.end()
    assert ["could not be exported" in caplog.messages[0], "1 span lost" in caplog.messages[1]] == [True, True]


def test_with_everything_delivered_the_end_says_nothing(setting: Setting, caplog: pytest.LogCaptureFixture) -> None:
    setting.exporter.go.set()
    setting.make_spans("a", "b")
    setting.end.end()
    assert setting.exporter.names == ["a", "b"]
    assert not caplog.records


def test_spans_that_are_not_sampled_are_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    setting = Setting()
    setting.provider.sampler = ALWAYS_OFF
    setting.make_spans("a")
    setting.end.end()
    assert not caplog.records


def test_no_time_at_all_is_a_limit_too(caplog: pytest.LogCaptureFixture) -> None:
    setting = Setting(timeout=0)
    setting.make_spans("a", "b", "c")
    setting.end.end()
    assert "3 spans lost" in caplog.text
    assert not setting.exporter.names


def test_the_end_does_not_wait_for_an_exporter_that_hangs(setting: Setting, caplog: pytest.LogCaptureFixture) -> None:
    setting.make_spans("a", "b")
    flushing = threading.Thread(target=setting.provider.force_flush)
    flushing.start()
    setting.exporter.started.wait()
    setting.make_spans("c")
    setting.delivery.limit(setting.clock.now)  # the time is over
    flushing.join()
    setting.end.timeout = 0
    setting.end.end()
    assert "3 spans lost" in caplog.text


def test_a_second_end_does_nothing(setting: Setting, caplog: pytest.LogCaptureFixture) -> None:
    setting.exporter.result = SpanExportResult.FAILURE
    setting.exporter.go.set()
    setting.make_spans("a")
    setting.end.end()
    setting.end.end()
    assert len(caplog.records) == 1
    assert not setting.end.flush()


def test_what_was_waited_for_in_vain_is_not_waited_for_again(setting: Setting) -> None:
    setting.make_spans("a")
    setting.end.timeout = 0.05
    assert not setting.end.flush()
    assert setting.end._budget() == 0
    setting.clock.now += 0.01
    assert setting.end._budget() == pytest.approx(0.01)
    setting.clock.now += 60
    assert setting.end._budget() == 0.05


def test_a_flush_that_nobody_answers_loses_nothing(setting: Setting) -> None:
    setting.make_spans("a")
    assert not setting.end.flush(0.01)
    setting.exporter.go.set()
    assert setting.end.flush(FOREVER)
    assert setting.exporter.names == ["a"]


def test_a_child_has_a_channel_of_its_own_and_counts_its_own_spans() -> None:
    made: list[Exporter] = []

    def make() -> Exporter:
        made.append(Exporter())
        made[-1].go.set()
        return made[-1]

    delivery = Delivery(make)
    processor = DeliveryProcessor(delivery)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    provider.get_tracer("app").start_span("of the parent").end()
    provider.force_flush()
    processor.after_fork_in_child()
    provider.get_tracer("app").start_span("of the child").end()
    assert processor.undelivered() == 1
    provider.force_flush()
    assert processor.undelivered() == 0
    assert [exporter.names for exporter in made] == [["of the parent"], ["of the child"]]
    provider.shutdown()
    assert [exporter.is_shut_down for exporter in made] == [False, True]


def test_a_fork_waits_for_the_batch_under_way_but_not_for_long(setting: Setting) -> None:
    setting.make_spans("a")
    flushing = threading.Thread(target=setting.provider.force_flush)
    flushing.start()
    setting.exporter.started.wait()
    setting.end.before_fork()
    setting.end.after_fork_in_parent()
    setting.exporter.go.set()
    flushing.join()
    setting.end.before_fork()
    setting.make_spans("b")
    flushing = threading.Thread(target=setting.provider.force_flush)
    flushing.start()
    assert setting.exporter.names == ["a"]
    setting.end.after_fork_in_parent()
    flushing.join()
    assert setting.exporter.names == ["a", "b"]


def test_the_exporters_own_words_are_one_reason_in_our_line(caplog: pytest.LogCaptureFixture) -> None:
    setting = Setting(SpanExportResult.FAILURE)
    exporters = logging.getLogger("opentelemetry.exporter.otlp.proto.grpc.exporter")
    setting.exporter.go.set()

    def export(_: Any) -> SpanExportResult:
        exporters.warning("Transient error at http://user:secret@receiver:4317\nretrying in 1s")
        exporters.error("Failed to export traces, error details: %s", "Channel closed!")
        return SpanExportResult.FAILURE

    setting.exporter.export = export  # type: ignore[method-assign]
    setting.make_spans("a")
    setting.end.end()
    (message,) = caplog.messages
    assert message.endswith("(exit_timeout). Transient error at http://receiver:4317 retrying in 1s")
    exporters.warning("heard again")
    assert caplog.messages[-1] == "heard again"
