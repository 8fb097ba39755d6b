"""`milvus-otel doctor --probe` on real parts: one request through Milvus, the Collector, the processor and Jaeger."""

from importlib.util import find_spec
from pathlib import Path

from click.testing import CliRunner
from milvus_otel_processor.cli import main
from milvus_otel_processor.demo.milvus import EmbeddedMilvus, MilvusSettings
from milvus_otel_processor.page.settings import PageSettings

from tests.peers.collector import collector
from tests.peers.jaeger import jaeger
from tests.peers.missing import missing
from tests.peers.process import free_port
from tests.support.harness import ERRORS, sampling
from tests.support.processor import Configuration, exporter_settings, receiver_settings, running_processor

SOON = {"OTEL_BSP_SCHEDULE_DELAY": "200"}
ASKED: dict[str, object] = {
    "name": "asked",
    "type": "span_name",
    "span_name": {"names": ["milvus.proto.milvus.MilvusService/GetVersion"]},
}


def test_a_probe_is_followed_hop_by_hop_and_no_other_question_of_the_doctor_is_a_trace(tmp_path: Path) -> None:
    if find_spec("milvus") is None:
        missing("the wheel of Milvus is not installed: it has no build for this platform")
    grpc, http = free_port(), free_port()
    with jaeger(tmp_path) as traces:
        configuration = Configuration(
            receiver_settings(),
            exporter_settings(traces.endpoint),
            sampling(ERRORS, ASKED, decision_wait=4.0),
            page=PageSettings(endpoint="127.0.0.1:0"),
        )
        with running_processor(configuration) as running:
            ports = f'grpc: {{endpoint: "127.0.0.1:{grpc}"}}, http: {{endpoint: "127.0.0.1:{http}"}}'
            settings = f"""
                receivers: {{otlp: {{protocols: {{{ports}}}}}}}
                exporters: {{otlp: {{endpoint: "{running.service.endpoint}", tls: {{insecure: true}}}}}}
                service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [otlp]}}}}}}
            """
            milvus = MilvusSettings(otlp_endpoint=f"127.0.0.1:{grpc}", environ=SOON)
            with collector(settings, tmp_path), EmbeddedMilvus(milvus) as server:
                arguments = (
                    *("--from", running.service.page_url, "--milvus", server.uri.removeprefix("http://")),
                    *("--collector", f"http://127.0.0.1:{http}", "--jaeger", traces.query.url),
                    *("--milvus-management", "http://127.0.0.1:9"),
                )
                runner = CliRunner(env={"OTEL_EXPORTER_OTLP_ENDPOINT": None})
                assert "Milvus v2.3.5" in runner.invoke(main, ["doctor", *arguments]).output
                said = runner.invoke(main, ["doctor", *arguments, "--probe", "--timeout", "60"])
        kept = {trace_id for service in traces.query.services() for trace_id in traces.query.traces(service)}
    for words in (
        "Milvus v2.3.5",
        "The Collector takes traces at",
        "The processor answers at",
        "Probe: Milvus answered a request with the trace id",
        "Probe: the client's span was taken at",
        "sampled by errors.",
        "have joined the client's trace.",
        "Probe: Jaeger has the trace.",
    ):
        assert words in said.output, said.output
    assert len(kept) == 1
