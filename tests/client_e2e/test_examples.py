"""The examples as they are shipped, run against a real Milvus."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.client_e2e.traces import Receiver, wait_until

if TYPE_CHECKING:
    from milvus_otel_processor.demo.milvus import EmbeddedMilvus

EXAMPLES = Path(__file__).resolve().parents[2] / "client" / "examples"


def _run(milvus: EmbeddedMilvus, receiver: Receiver, *command: str, **variables: str) -> str:
    environment = {"MILVUS_URI": milvus.uri, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.endpoint}"}
    done = subprocess.run(
        command, env=os.environ | environment | variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_is_one_trace_from_the_application_into_milvus(milvus: EmbeddedMilvus, receiver: Receiver) -> None:
    out = _run(milvus, receiver, sys.executable, str(EXAMPLES / "search.py"))
    assert out.startswith("[3, 4, 5]")
    trace_id = bytes.fromhex(out.strip().partition("trace_id=")[2])

    def names() -> set[str]:
        return {span.name for span in receiver.spans() if span.trace_id == trace_id}

    expected = {"find books", "upsert books", "search books", "milvus.proto.milvus.MilvusService/Search"}
    wait_until(lambda: expected <= names(), f"{expected} in the example's trace")


def test_the_example_without_code_is_traced_by_opentelemetry_instrument(
    milvus: EmbeddedMilvus, receiver: Receiver
) -> None:
    before = len(receiver.spans())
    out = _run(
        milvus,
        receiver,
        str(Path(sys.executable).with_name("opentelemetry-instrument")),
        "--exporter_otlp_protocol",
        "grpc",
        sys.executable,
        str(EXAMPLES / "zero_code.py"),
        OTEL_SERVICE_NAME="without code",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
    )
    assert out.startswith("[3, 4, 5]")

    def joined() -> bool:
        spans = receiver.spans()[before:]
        searches = {span.trace_id for span in spans if span.name == "search books"}
        return any(span.trace_id in searches for span in spans if span.name.endswith("MilvusService/Search"))

    wait_until(joined, "Milvus' spans in the trace of the search")
    assert "without code" in receiver.service_names()
