"""A processor with its page, in the test's own process."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from milvus_otel_processor.extensions.bearer_token import BearerTokenSettings
from milvus_otel_processor.page.settings import PageSettings
from milvus_otel_processor.sampling.settings import TailSamplingSettings

from tests.peers.otlp_sink import otlp_sink
from tests.peers.waiting import wait_until
from tests.support.harness import ERRORS, drop_roots, sampling
from tests.support.http import Answer, ask
from tests.support.processor import Configuration, Running, exporter_settings, receiver_settings, running_processor

SLOW: dict[str, object] = {"name": "slow", "type": "latency", "latency": {"threshold_ms": 500}}
RULES = """\
decision_wait: 10ms
policies:
  - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
  - {name: slow, type: latency, latency: {threshold_ms: 500}}
"""


def rules(*policies: Mapping[str, object], **settings: object) -> TailSamplingSettings:
    """Errors, slow traces, and heartbeats dropped, decided at once; or these policies."""
    return sampling(*(policies or (drop_roots("Ping"), ERRORS, SLOW)), **{"decision_wait": 0.01, **settings})


class Shown:
    """A processor, and its page at `url`."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.url = running.service.page_url

    def get(self, path: str, **headers: str) -> Answer:
        return ask(f"{self.url}/api/v1{path}", None, **headers)

    def post(self, path: str, text: str = "", **headers: str) -> Answer:
        return ask(f"{self.url}/api/v1{path}", text.encode(), **headers)

    def send(self, *requests: bytes) -> None:
        """Have these decided."""
        for request in requests:
            self.running.send(request)
        wait_until(lambda: not self.running.service.telemetry.snapshot().waiting_traces, "the decisions")

    def tried(self, text: str, path: str = "/try") -> dict[str, Any]:
        """The result of a trial of these rules."""
        started = self.post(path, text)
        assert started.status == 200, started.body
        assert started.json()["state"] == "running", started.body

        def ended() -> dict[str, Any] | None:
            state: dict[str, Any] = self.get("/try").json()
            return state if state["state"] != "running" else None

        state = wait_until(ended, "the end of the trial")
        assert state["state"] == "done", json.dumps(state)
        result: dict[str, Any] = state["result"]
        return result


@contextmanager
def shown(
    sampling: TailSamplingSettings | None = None,
    *,
    token: BearerTokenSettings | None = None,
    source: Path | None = None,
    milvus: Any = None,
    **page: Any,
) -> Iterator[Shown]:
    """A processor with a page; `page` are its settings, and `source` the file that its configuration is from."""
    settings = PageSettings.model_validate({"endpoint": "127.0.0.1:0", **page})
    with otlp_sink() as sink:
        configuration = Configuration(
            receiver_settings(),
            exporter_settings(sink.endpoint),
            sampling or rules(),
            milvus,
            page=settings,
            page_authenticator=token,
        )
        with running_processor(configuration, source) as running:
            yield Shown(running)
