"""docs/first-application.md, done as it says: its files saved, its commands run, with a real Milvus."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from milvus_otel_processor.demo.milvus import EmbeddedMilvus, MilvusSettings

from tests.client_e2e.traces import Receiver
from tests.peers.missing import require_command
from tests.peers.process import free_port
from tests.peers.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "first-application.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
INSTALL, SERVE, ASK, FAIL, ANSWER = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ANSWERS = re.findall(r'^(?:\{"answer":"|)(Milvus [\w ]+\.)', PAGE, re.MULTILINE)

pytestmark = pytest.mark.timeout(600)


class Reader:
    """Someone who follows the page; Milvus and the Collector are elsewhere than in the stack."""

    def __init__(self, folder: Path, milvus: str, collector: str) -> None:
        self.folder = folder / "first-application"
        self._port = free_port()
        self._collector = collector
        plain = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        # The receiver here takes traces alone; the stack's Collector takes all (tests/stack/test_signals.py).
        alone = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
        self.environment = {**plain, **alone, "MILVUS_URI": milvus, "PATH": f"{self.folder}/bin:{os.environ['PATH']}"}
        self.exported: dict[str, str] = {}

    def install(self) -> None:
        """What the block INSTALL says; uv does what venv and pip would, in less time."""
        uv = require_command("uv", "an environment")
        line = next(line for line in INSTALL.splitlines() if line.startswith("pip install "))
        python = self.folder / "bin" / "python"
        subprocess.run([uv, "venv", "--quiet", self.folder], check=True)
        packages = shlex.split(line.removeprefix("pip install "))
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *packages], check=True, cwd=ROOT)
        for name, text in PROGRAMS.items():
            (self.folder / name).write_text(text, encoding="utf-8")

    def start(self, command: str) -> subprocess.Popen[str]:
        """Run a block of commands; what it leaves in the background runs on until the shell is ended."""
        here = command.replace("localhost:4317", self._collector).replace("8000", str(self._port)).removesuffix(" &\n")
        return subprocess.Popen(
            ["bash", "-ec", here.replace("OTEL_SERVICE_NAME=", "exec env OTEL_SERVICE_NAME=")],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> str:
        with self.start(command) as process:
            said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return said


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def reader(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    settings = MilvusSettings(
        otlp_endpoint=receiver.endpoint, sample_fraction=0, environ={"OTEL_BSP_SCHEDULE_DELAY": "100"}
    )
    with ExitStack() as parts:
        milvus = parts.enter_context(EmbeddedMilvus(settings))
        reader = Reader(tmp_path_factory.mktemp("reader"), milvus.uri, receiver.endpoint)
        reader.install()
        yield reader


def joined(receiver: Receiver, trace_id: str, *names: str) -> None:
    """Wait until the trace has spans with all these names."""

    def there() -> bool:
        return set(names) <= {span.name for span in receiver.spans() if span.trace_id.hex() == trace_id}

    wait_until(there, f"{names} in the trace {trace_id}", 40)


def test_the_service_answers_with_the_trace_of_its_request_and_of_one_that_fails(reader: Reader, receiver: Receiver):
    service = reader.start(SERVE)
    try:
        said = reader.run(ASK)
        found = re.fullmatch(r'\{"answer":"(.*)","trace_id":"(\w{32})"\}', said.strip())
        assert found, said
        assert found[1] == ANSWERS[0]
        names = ("GET /ask", "search texts", "milvus.proto.milvus.MilvusService/Search", "SegCoreSearch")
        joined(receiver, found[2], *names)
        failed = reader.run(FAIL)
        # by its name: the log, which has its trace id, is read when the service has ended
        wait_until(lambda: any(span.name == "search nowhere" for span in receiver.spans()), "search nowhere", 40)
        (failure,) = [span for span in receiver.spans() if span.name == "search nowhere"]
        joined(receiver, failure.trace_id.hex(), "GET /ask", "search nowhere")
    finally:
        service.terminate()
        log, _ = service.communicate(timeout=60)
    assert f"answered 'what stores vectors' trace_id={found[2]}" in log
    before, _, after = log.partition(" [ERROR]")  # of pymilvus, which logs what Milvus refuses
    assert not re.search("traceback|warning", before, re.IGNORECASE), before
    assert f"```\n{failed}\n```" in PAGE
    (shown,) = re.findall(r"^```\n(pymilvus\.exceptions.*\n)trace_id=\w{32}\n```", PAGE, re.MULTILINE)
    assert set(re.findall(re.escape(shown) + r"trace_id=(\w{32})\n", after)) == {failure.trace_id.hex()}, log
    spans = {span.name: span for span in receiver.spans() if span.trace_id == failure.trace_id}
    attributes = {each.key: each.value.string_value for each in failure.attributes}
    assert (attributes["db.collection.name"], attributes["error.type"]) == ("nowhere", "100")
    assert {name for name, span in spans.items() if span.status.code == 2} >= {"GET /ask", "search nowhere"}


def test_the_program_with_langchain_answers_in_one_trace(reader: Reader, receiver: Receiver):
    answer, trace_id = reader.run("export OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317\n" + ANSWER).splitlines()
    assert answer == ANSWERS[1]
    joined(
        receiver,
        trace_id.removeprefix("trace_id="),
        *("answer a question", "search answers", "milvus.proto.milvus.MilvusService/Search"),
    )
