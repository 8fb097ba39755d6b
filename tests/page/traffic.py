"""A processor that recorded traffic goes through, with its page."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from milvus_otel_processor.config.builtin import default_config_path
from milvus_otel_processor.config.loader import load_rules
from milvus_otel_processor.enrichment.settings import MilvusSettings
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.peers.waiting import wait_until
from tests.support.page import Shown, shown
from tests.support.recordings import Recording

RECORDING = Recording("2.6.16", "deadlines")
_LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
RULES_FILE = "sampling.yaml"


@contextmanager
def recorded_traffic(folder: Path, **page: Any) -> Iterator[Shown]:
    """The built-in rules, in a file in this folder, have decided the recorded traffic; a trace waits for half a second."""
    text = default_config_path().with_name(RULES_FILE).read_text(encoding="utf-8")
    text = text.replace("decision_wait: 10s", "decision_wait: 500ms")
    (folder / RULES_FILE).write_text(text, encoding="utf-8")
    config = folder / "processor.yaml"
    config.write_text(f"processors:\n  tail_sampling: ${{file:{RULES_FILE}}}\n", encoding="utf-8")
    settings, _ = load_rules(text, RULES_FILE, None)
    milvus = MilvusSettings.model_validate({"uri": "http://127.0.0.1:1", "catalogue": {"enabled": False}})
    with shown(settings, source=config, milvus=milvus, **page) as running:
        send_lines(running.running.channel)
        for request in RECORDING.requests:
            running.running.send(request)
        service = running.running.service
        wait_until(lambda: not service.telemetry.snapshot().waiting_traces, "the decisions over the recorded traffic")
        yield running


def send_lines(channel: grpc.Channel) -> None:
    """Send the lines of the access log from the same time."""
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for line in RECORDING.lines:
        records.add().body.string_value = line
    channel.unary_unary(_LOGS)(request.SerializeToString(), timeout=20)
