"""The demo's application in a container: it waits, says what it does in sentences, and where to look."""

from __future__ import annotations

import pytest
from milvus_otel_processor.demo import visit
from milvus_otel_processor.demo.milvus import EmbeddedMilvus, MilvusSettings

from tests.peers.process import free_port


def test_where_milvus_does_not_answer_it_says_so_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(visit, "WAIT_SECONDS", 0.0)
    said: list[str] = []
    uri = f"http://127.0.0.1:{free_port()}"
    assert visit.main(uri, said.append, lambda _: None) == 1
    waiting, reason, advice = said
    assert waiting == f"Waiting for the Milvus at {uri}, for up to 0 seconds."
    assert reason.startswith("Milvus does not answer: ListDatabases: ")
    assert "docker compose logs milvus" in advice
    assert capfd.readouterr() == ("", "")


class SetUpError(Exception):
    """Ends the application where it would set up tracing, which is for a process of its own."""


@pytest.mark.usefixtures("real_milvus")
def test_it_waits_until_milvus_answers_and_then_begins(monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    pauses: list[float] = []
    port = free_port()
    milvus = EmbeddedMilvus(MilvusSettings(proxy_port=port))

    def pause(seconds: float) -> None:
        if not pauses:
            milvus.start()
        pauses.append(seconds)

    def setup(**_: object) -> None:
        raise SetUpError

    monkeypatch.setattr("milvus_otel_client.setup", setup)
    try:
        with pytest.raises(SetUpError):
            visit.main(f"http://127.0.0.1:{port}", said.append, pause)
    finally:
        milvus.stop()
    assert pauses
    assert said[-1].startswith("Milvus answers. This is a small shop")
