"""All that an application's SDK sends by default is taken: traces, metrics and logs, over both protocols of OTLP."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.peers.jaeger import attributes_of
from tests.peers.waiting import wait_until
from tests.stack.conftest import Stack
from tests.stack.engine import ROOT
from tests.stack.logs import bodies, log_records

APPLICATION = """
import logging, sys
from pymilvus import MilvusClient, MilvusException

logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it writes each failure to the terminal by itself
client = MilvusClient("http://localhost:19530")
logging.getLogger("shop").warning("sold out")
try:
    client.search("absent", [[0.5, 0.5]])
except MilvusException:
    print("not there")
"""
README = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317", "OTEL_SERVICE_NAME": "shop"}
"""What the README tells users to set, and nothing else."""


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `command` with opentelemetry-instrument, as a user with an environment of its own does."""
    instrument = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run(
        [instrument, *command], env=plain | README | variables, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def application(stack: Stack) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-c", APPLICATION, OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED="true")


def test_an_application_of_which_all_is_sent_has_not_one_line_of_noise(application: subprocess.CompletedProcess[str]):
    assert (application.returncode, application.stdout, application.stderr) == (0, "not there\n", "")


@pytest.mark.usefixtures("stack")
def test_the_readmes_command_has_not_one_line_of_noise():
    done = run(sys.executable, str(ROOT / "client" / "examples" / "zero_code.py"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "[3, 4, 5]\n", "")


@pytest.mark.usefixtures("application")
def test_its_trace_is_in_jaeger(stack: Stack):
    wanted = {"db.collection.name": "absent"}
    found = wait_until(lambda: stack.jaeger.traces("shop", attributes=wanted), "the trace in Jaeger", 40, 0.5)
    assert any(
        span["service"] == "standalone" and attributes_of(span)["db.collection.name"] == "absent"
        for spans in found.values()
        for span in spans
    )


@pytest.mark.usefixtures("application")
def test_its_metrics_are_on_the_collectors_page_inside_the_network(stack: Stack):
    ask = "import urllib.request; print(urllib.request.urlopen('http://collector:8889/metrics').read().decode())"
    page = stack.compose("exec", "-T", "processor", "python", "-c", ask)
    (search,) = (
        line
        for line in page.splitlines()
        if line.startswith("db_client_operation_duration_seconds_count{") and 'db_collection_name="absent"' in line
    )
    assert 'job="shop"' in search
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen("http://127.0.0.1:8889/metrics", timeout=5)


@pytest.mark.usefixtures("application")
def test_its_logs_are_in_the_file_on_the_volume(stack: Stack):
    assert {one["body"]["stringValue"]: one["from"]["service.name"] for one in log_records(stack)}["sold out"] == "shop"


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("signal", "request_of"), [("metrics", ExportMetricsServiceRequest), ("logs", ExportLogsServiceRequest)]
)
def test_the_other_signals_are_taken_over_http_too(signal: str, request_of: type):
    request = urllib.request.Request(
        f"http://127.0.0.1:4318/v1/{signal}",
        request_of().SerializeToString(),
        {"Content-Type": "application/x-protobuf"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def test_the_access_log_goes_to_the_processor_and_not_to_the_applications_file(stack: Stack):
    page = urllib.request.urlopen("http://127.0.0.1:8888/metrics", timeout=10)
    with page:
        counts = page.read().decode()
    assert "milvus_otel_processor_" in counts
    assert not any("MilvusService" in body for body in bodies(log_records(stack)))
