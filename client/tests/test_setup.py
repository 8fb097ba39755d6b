"""`setup` and `opentelemetry-instrument`, each in a process of its own, exporting to a receiver here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from client.tests.processes import UNTIMED
from tests.client_e2e.traces import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from client.tests.fake_milvus import FakeMilvus

_SEARCH = """
from pymilvus import MilvusClient
print(len(MilvusClient("{uri}").search("c", [[0.1, 0.2, 0.3, 0.4]], limit=2)[0]))
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def _run(code: str, milvus: FakeMilvus, *command: str, **environment: str) -> str:
    done = subprocess.run(
        [*command, sys.executable, "-W", "ignore", "-c", code.replace("{uri}", milvus.uri)],
        env=os.environ | UNTIMED | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _names(receiver: Receiver) -> list[str]:
    return [span.name for span in receiver.spans() if not span.name.startswith("/")]


def test_setup_traces_and_flushes_at_exit(milvus: FakeMilvus, receiver: Receiver) -> None:
    code = f"""
import milvus_otel_client
milvus_otel_client.setup(service_name="shop", endpoint="http://{receiver.endpoint}")
"""
    assert _run(code + _SEARCH, milvus).split() == ["2"]
    assert _names(receiver) == ["connect", "search c"]
    assert receiver.service_names() == {"shop"}


def test_setup_takes_the_standard_variables(milvus: FakeMilvus, receiver: Receiver) -> None:
    code = "import milvus_otel_client; milvus_otel_client.setup(rpc_spans=False)"
    variables = {
        "OTEL_SERVICE_NAME": "from the environment",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.endpoint}",
    }
    _run(code + _SEARCH, milvus, **variables)
    assert [span.name for span in receiver.spans()] == ["connect", "search c"]
    assert receiver.service_names() == {"from the environment"}


def test_called_twice_setup_does_nothing_more(milvus: FakeMilvus, receiver: Receiver) -> None:
    code = f"""
import milvus_otel_client
first = milvus_otel_client.setup("shop", endpoint="http://{receiver.endpoint}")
assert milvus_otel_client.setup("other") is first
assert len(first._active_span_processor._span_processors) == 1
"""
    _run(code + _SEARCH, milvus)
    assert _names(receiver) == ["connect", "search c"]
    assert receiver.service_names() == {"shop"}


def _warnings(code: str, milvus: FakeMilvus, **environment: str) -> list[str]:
    """What the client warns of, line by line."""
    listen = """
import logging, sys
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(name)s: %(message)s", level=logging.INFO)
"""
    lines = _run(listen + code, milvus, **environment).splitlines()
    return [line for line in lines if line.startswith("WARNING milvus_otel_client")]


_OTHERS = """milvus_otel_client.setup("shop", endpoint="http://other:4317", rpc_spans=False, exit_timeout=1,
    resource_attributes={"a": "b"}, headers={"authorization": "secret"}, metrics=False)"""


def test_arguments_that_an_earlier_setup_leaves_no_use_for_are_named_in_one_line(milvus: FakeMilvus) -> None:
    code = f"""
import milvus_otel_client
for _ in range(2):  # the same again is nothing to tell
    milvus_otel_client.setup("shop", exit_timeout=0)
{_OTHERS}
"""
    (line,) = _warnings(code, milvus)
    assert line.endswith(
        ": milvus_otel_client.setup: arguments that are not used: rpc_spans (pymilvus is instrumented already); "
        "endpoint, headers, resource_attributes, exit_timeout (an earlier setup has set a provider)"
    )


def test_arguments_that_the_applications_provider_leaves_no_use_for_are_named_in_one_line(milvus: FakeMilvus) -> None:
    code = f"""
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
import milvus_otel_client
{_OTHERS}
assert milvus_otel_client.flush()
"""
    (line,) = _warnings(code, milvus)
    assert line.endswith(
        ": milvus_otel_client.setup: arguments that are not used: "
        "service_name, endpoint, headers, resource_attributes, exit_timeout (the application has set a provider)"
    )


def test_an_endpoint_that_the_variables_leave_no_use_for_is_named(milvus: FakeMilvus) -> None:
    code = """
import milvus_otel_client
milvus_otel_client.setup("shop", endpoint="http://other:4317")
"""
    (line,) = _warnings(code, milvus, OTEL_TRACES_EXPORTER="none")
    assert line.endswith("not used: endpoint (OTEL_TRACES_EXPORTER or the protocol has no use for it)")


def test_a_standard_boolean_that_is_neither_true_nor_false_is_named(milvus: FakeMilvus) -> None:
    code = "import milvus_otel_client; milvus_otel_client.setup(exit_timeout=0)"
    variables = {"OTEL_SDK_DISABLED": "1", "OTEL_EXPORTER_OTLP_INSECURE": "TRUE", "OTEL_TRACES_EXPORTER": "none"}
    assert _warnings(code, milvus, **variables) == [
        "WARNING milvus_otel_client.environment: OTEL_SDK_DISABLED='1': expected true or false; the default is taken: false"
    ]


def test_eight_threads_that_set_up_at_once_do_it_once(milvus: FakeMilvus, receiver: Receiver) -> None:
    code = f"""
import threading
import milvus_otel_client
from opentelemetry import trace
together = threading.Barrier(8)
providers = set()
def set_up():
    together.wait()
    providers.add(milvus_otel_client.setup("shop", endpoint="http://{receiver.endpoint}"))
threads = [threading.Thread(target=set_up) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
(provider,) = providers
assert len(provider._active_span_processor._span_processors) == 1
names = [thread.name for thread in threading.enumerate()]
assert names.count("OtelBatchSpanRecordProcessor") == names.count("milvus-otel-export") == 1, names
"""
    assert _run(code + _SEARCH, milvus).split() == ["2"]
    assert _names(receiver) == ["connect", "search c"]


def test_setup_leaves_a_provider_that_is_there_as_it_is(milvus: FakeMilvus) -> None:
    code = """
import milvus_otel_client
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
provider, exporter = TracerProvider(), InMemorySpanExporter()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
assert milvus_otel_client.setup("shop") is provider
assert len(provider._active_span_processor._span_processors) == 1
"""
    after = "\nprint([span.name for span in exporter.get_finished_spans() if span.name[0] != '/'])"
    assert "['connect', 'search c']" in _run(code + _SEARCH + after, milvus)


@pytest.mark.parametrize("names", ["milvus", "redis, milvus", "milvus_otel", "*"])
def test_setup_honours_disabled_instrumentations(milvus: FakeMilvus, receiver: Receiver, names: str) -> None:
    code = f'import milvus_otel_client; milvus_otel_client.setup("shop", endpoint="http://{receiver.endpoint}")'
    _run(code + _SEARCH, milvus, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=names)
    assert not receiver.spans()


def test_an_endpoint_that_is_not_there_delays_neither_the_calls_nor_the_exit_for_long(milvus: FakeMilvus) -> None:
    code = """
import time
import milvus_otel_client, pymilvus
started = time.monotonic()
milvus_otel_client.setup("shop", endpoint="http://127.0.0.1:1", metrics=True)
"""
    after = "\nassert time.monotonic() - started < 10"
    _run(code + _SEARCH + after, milvus, OTEL_EXPORTER_OTLP_TIMEOUT="2")


def _counts(receiver: Receiver) -> dict[str, int]:
    """How often each operation was measured, by the last that came of each."""
    found: dict[str, int] = {}
    for resource in receiver.metrics.received():
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            assert (metric.name, metric.unit) == ("db.client.operation.duration", "s")
            for point in metric.histogram.data_points:
                attributes = {attribute.key: attribute.value.string_value for attribute in point.attributes}
                found[attributes["db.operation.name"]] = point.count
    return found


@pytest.mark.parametrize(("argument", "variable"), [(", metrics=True", ""), ("", "otlp"), ("", "console, otlp")])
def test_setup_sends_metrics_where_that_is_asked_for_and_flushes_at_exit(
    milvus: FakeMilvus, receiver: Receiver, argument: str, variable: str
) -> None:
    code = f"""
import milvus_otel_client
milvus_otel_client.setup("shop", endpoint="http://{receiver.endpoint}"{argument})
"""
    _run(code + _SEARCH, milvus, OTEL_METRICS_EXPORTER=variable)
    assert _counts(receiver) == {"connect": 1, "search": 1}
    (resource,) = receiver.metrics.received()
    assert ("service.name", "shop") in {(pair.key, pair.value.string_value) for pair in resource.resource.attributes}
    assert _names(receiver) == ["connect", "search c"]


@pytest.mark.parametrize(("argument", "variable"), [("", ""), ("", "none"), (", metrics=False", "otlp")])
def test_setup_sends_no_metrics_unasked(milvus: FakeMilvus, receiver: Receiver, argument: str, variable: str) -> None:
    code = f"""
import milvus_otel_client
milvus_otel_client.setup("shop", endpoint="http://{receiver.endpoint}"{argument})
"""
    _run(code + _SEARCH, milvus, OTEL_METRICS_EXPORTER=variable)
    assert not receiver.metrics.received()
    assert _names(receiver) == ["connect", "search c"]


def test_setup_leaves_a_meter_provider_that_is_there_as_it_is(milvus: FakeMilvus, receiver: Receiver) -> None:
    code = f"""
import milvus_otel_client
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
provider = MeterProvider([reader])
metrics.set_meter_provider(provider)
for _ in range(2):
    milvus_otel_client.setup("shop", endpoint="http://{receiver.endpoint}", metrics=True)
assert metrics.get_meter_provider() is provider
"""
    after = """
(scope,) = reader.get_metrics_data().resource_metrics[0].scope_metrics
print([metric.name for metric in scope.metrics])
"""
    assert "['db.client.operation.duration']" in _run(code + _SEARCH + after, milvus)
    assert not receiver.metrics.received()


def test_called_twice_setup_makes_one_meter_provider(milvus: FakeMilvus, receiver: Receiver) -> None:
    code = f"""
import milvus_otel_client
from opentelemetry import metrics
milvus_otel_client.setup("shop", endpoint="http://{receiver.endpoint}", metrics=True)
provider = metrics.get_meter_provider()
milvus_otel_client.setup("shop", endpoint="http://{receiver.endpoint}", metrics=True)
assert metrics.get_meter_provider() is provider
"""
    _run(code + _SEARCH, milvus)
    assert _counts(receiver) == {"connect": 1, "search": 1}


@pytest.mark.parametrize("disabled", ["", "milvus", "milvus_otel"])
def test_opentelemetry_instrument_finds_it(milvus: FakeMilvus, receiver: Receiver, disabled: str) -> None:
    command = Path(sys.executable).with_name("opentelemetry-instrument")
    variables = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.endpoint}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": f"{disabled},grpc_client" if disabled else "",
    }
    assert _run(_SEARCH, milvus, str(command), **variables).split() == ["2"]
    assert _names(receiver) == ([] if disabled else ["connect", "search c"])
    metadata: list[dict[str, Any]] = milvus.metadata_of("Search")
    assert [entries.get("traceparent", "")[-2:] for entries in metadata] == ([""] if disabled else ["01"])
    assert receiver.service_names() == (set() if disabled else {"shop"})
