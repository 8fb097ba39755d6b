"""The commands that ask a running processor: explain, capture."""

import json
import socket
from pathlib import Path
from threading import Thread

import grpc
import pytest
from click.testing import CliRunner, Result
from milvus_otel_processor.cli import main
from milvus_otel_processor.extensions.bearer_token import BearerTokenSettings
from milvus_otel_processor.page.capture_files import CaptureFiles
from pydantic import SecretStr

from tests.page.traffic import send_lines
from tests.peers.otlp_sink import METHOD
from tests.peers.process import free_port
from tests.peers.waiting import wait_until
from tests.support.harness import ERRORS
from tests.support.page import RULES, SLOW, rules, shown
from tests.support.recordings import Recording
from tests.support.spans import encoded, span

REQUESTS = Recording("2.6.16", "deadlines").requests


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments], catch_exceptions=False)


def test_a_trace_of_the_running_processor_is_explained_as_a_recorded_one_is(tmp_path: Path) -> None:
    with shown(rules(ERRORS, SLOW)) as page:
        request = encoded(span(7, 1, end_ms=30), span(7, 2, 1, end_ms=10))
        page.send(request)
        text = run("explain", f"{7:032x}", "--from", page.url)
        as_json = run("explain", f"{7:032x}", "--from", page.url, "--format", "json")
    assert text.exit_code == 0, text.output
    assert f"trace {7:032x}: not sampled" in text.output
    assert "slow (latency) not sampled: 30 ms, not above 500 ms" in text.output
    live = json.loads(as_json.output)
    recording, config = tmp_path / "traces.binpb", tmp_path / "rules.yaml"
    recording.write_bytes(len(request).to_bytes(4, "big") + request)
    config.write_text(RULES)
    recorded = json.loads(run("explain", f"{7:032x}", recording, "--config", config, "--format", "json").output)
    assert recorded.pop("waited_seconds") > 0
    assert live.pop("waited_seconds") is None  # only a recording has the time of the first span
    assert live == recorded


def test_what_is_not_to_be_had_is_said_and_ends_with_an_error() -> None:
    with shown() as page:
        missing = run("explain", "0" * 32, "--from", page.url)
    gone = run("explain", "0" * 32, "--from", page.url)
    wrong = run("explain", "0" * 32, "--from", "ftp://x")
    assert (missing.exit_code, gone.exit_code, wrong.exit_code) == (1, 1, 1)
    assert "is remembered: it is too old (decided_traces_mib)" in missing.output
    assert "no answer: Connection refused; expected a running processor with service.telemetry.page" in gone.output
    assert "expected one such as http://127.0.0.1:18888" in wrong.output
    assert run("explain", "0" * 32).exit_code == 2
    assert run("explain", "0" * 32, "--from", "http://x", "--config", "y").exit_code == 2


def test_the_token_is_read_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("right\n")
    with shown(token=BearerTokenSettings(token=SecretStr("right"))) as page:
        page.send(encoded(span(7, 1)))
        command = ("explain", f"{7:032x}", "--from", page.url)
        refused = run(*command)
        assert (refused.exit_code, "a token is wanted" in refused.output) == (1, True)
        assert run(*command, "--token-file", file).exit_code == 0
        assert run(*command, "--token-file", tmp_path / "none").exit_code == 1
        monkeypatch.setenv("MILVUS_OTEL_PAGE_TOKEN", "right")
        assert run(*command).exit_code == 0


def messages(file: Path) -> list[bytes]:
    from tests.support.recordings import messages as cut

    return list(cut(file.read_bytes()))


def test_what_came_in_and_what_comes_is_captured_from_the_running_processor(tmp_path: Path) -> None:
    out = tmp_path / "traces.binpb"
    later = encoded(span(99, 1))
    with shown(milvus=_enrichment()) as page:
        send_lines(page.running.channel)
        page.send(*REQUESTS[:5])
        witness = page.running.service._witness
        assert witness is not None
        recent = witness.recent

        def send_later() -> None:
            wait_until(lambda: recent.followers == 2, "the capture")
            page.running.send(later)

        sender = Thread(target=send_later)
        sender.start()
        done = run("capture", "--out", out, "--from", page.url, "--seconds", 3)
        sender.join()
        assert recent.followers == 0
    assert done.exit_code == 0, done.output
    assert messages(out) == [*REQUESTS[:5], later]
    assert (tmp_path / "traces.binpb.access.log").read_text().splitlines() == list(
        Recording("2.6.16", "deadlines").lines
    )
    replayed = run("replay", out, "--access-log", tmp_path / "traces.binpb.access.log", "--format", "json")
    assert replayed.exit_code == 0, replayed.output


def _enrichment() -> object:
    from milvus_otel_processor.enrichment.settings import MilvusSettings

    return MilvusSettings.model_validate({"uri": "http://127.0.0.1:1", "catalogue": {"enabled": False}})


def test_a_capture_ends_before_its_size_and_never_within_a_message(tmp_path: Path) -> None:
    out = tmp_path / "traces.binpb"
    requests = [encoded(span(number, 1, attributes={"x": "y" * 5000})) for number in range(1, 11)]
    with shown() as page:
        page.send(*requests)
        assert run("capture", "--out", out, "--from", page.url, "--mib", 0.02, "--seconds", 30).exit_code == 0
    assert messages(out) == requests[:4]


def test_nothing_of_the_past_where_that_is_not_wanted(tmp_path: Path) -> None:
    with shown() as page:
        page.send(encoded(span(1, 1)))
        done = run("capture", "--out", tmp_path / "x", "--from", page.url, "--no-past", "--seconds", 0.2)
    assert (done.exit_code, "no span came in" in done.output) == (1, True)


def test_capture_can_listen_by_itself(tmp_path: Path) -> None:
    out, port = tmp_path / "traces.binpb", free_port()
    results: list[Result] = []
    listening = Thread(
        target=lambda: results.append(
            run("capture", "--out", out, "--listen", f"127.0.0.1:{port}", "--seconds", 60, "--mib", 0.02)
        )
    )
    listening.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=30)
        export = channel.unary_unary(METHOD)
        request = encoded(span(1, 1, attributes={"x": "y" * 8000}))
        for _ in range(3):  # the third is beyond the size
            export(request, timeout=20)
        listening.join(30)
    assert results[0].exit_code == 0, results[0].output
    assert messages(out) == [request, request]


def test_capture_says_what_is_wrong(tmp_path: Path) -> None:
    assert run("capture", "--out", tmp_path / "x").exit_code == 2
    nowhere = run("capture", "--out", tmp_path / "no" / "x", "--listen", "127.0.0.1:0")
    assert (nowhere.exit_code, nowhere.output) == (1, f"{tmp_path}/no/x: No such file or directory\n")
    for folder in (".", "/"):
        assert run("capture", "--out", folder, "--listen", "127.0.0.1:0").output == f"{folder}: Is a directory\n"
    (tmp_path / "x.access.log").mkdir()
    taken = run("capture", "--out", tmp_path / "x", "--listen", "127.0.0.1:0")
    assert (taken.exit_code, taken.output) == (1, f"{tmp_path}/x.access.log: Is a directory\n")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["x.access.log"]


@pytest.mark.parametrize("source", ["a dead address", "a taken port", "a processor that refuses", "nothing new"])
def test_a_capture_that_records_nothing_leaves_what_was_there_and_says_one_thing(tmp_path: Path, source: str) -> None:
    out, lines = tmp_path / "traces.binpb", tmp_path / "traces.binpb.access.log"
    with shown(token=BearerTokenSettings(token=SecretStr("right"))) as page, socket.create_server(("", 0)) as taken:
        arguments, expected = {
            "a dead address": (("--from", f"http://127.0.0.1:{free_port()}"), "no answer: Connection refused"),
            "a taken port": (("--listen", f"127.0.0.1:{taken.getsockname()[1]}"), "expected a free host:port"),
            "a processor that refuses": (("--from", page.url), "a token is wanted"),
            "nothing new": (("--listen", "127.0.0.1:0", "--seconds", "0"), "no span came in"),
        }[source]
        for old in (None, b"a recording"):
            if old is not None:
                out.write_bytes(old)
                lines.write_bytes(b"its lines")
            done = run("capture", "--out", out, *arguments)
            said = [line for line in done.output.splitlines() if not line.startswith("listening at")]
            assert (done.exit_code, len(said)) == (1, 1), done.output
            assert expected in said[0]
            assert out.exists() is lines.exists() is (old is not None)
    assert (out.read_bytes(), lines.read_bytes()) == (b"a recording", b"its lines")


def test_lines_of_one_capture_never_lie_beside_spans_of_another(tmp_path: Path) -> None:
    out, lines = tmp_path / "traces.binpb", tmp_path / "traces.binpb.access.log"
    for written, expected in (((b"old", b"old"), (b"old", b"old")), ((b"spans", b""), (b"spans", None))):
        with CaptureFiles(out, lines) as files:
            for write, content in zip((files.write_spans, files.write_lines), written, strict=True):
                if content:
                    write(content)
        assert (out.read_bytes(), lines.read_bytes() if lines.exists() else None) == expected
    with CaptureFiles(out, lines) as files:
        files.write_lines(b"lines alone")
    assert (out.read_bytes(), lines.exists()) == (b"spans", False)
    with CaptureFiles(out, lines) as files:
        files.write_lines(b"first, ")
        files.write_spans(b"s")
        files.write_lines(b"then")
    files.write_spans(b"too late")
    assert (out.read_bytes(), lines.read_bytes()) == (b"s", b"first, then")
    with CaptureFiles(Path("/dev/null"), tmp_path / "x") as files:  # what is no file of a disk is written and stays
        files.write_spans(b"s")
    assert Path("/dev/null").exists()


def test_lines_are_held_up_to_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("milvus_otel_processor.page.capture_files._MOST_HELD", 10)
    with CaptureFiles(tmp_path / "out", tmp_path / "lines") as files:
        files.write_lines(b"x" * 10)
        assert list(tmp_path.iterdir()) == []  # so that nothing empty is left, however it ends
        files.write_lines(b"y")
        assert (tmp_path / "lines").read_bytes() == b"x" * 10 + b"y"


def test_a_processor_that_ends_while_it_is_recorded_is_told_once_and_what_came_until_then_stays(tmp_path: Path) -> None:
    out, results = tmp_path / "traces.binpb", list[Result]()
    with shown() as page:
        page.send(encoded(span(1, 1)))
        command = ("capture", "--out", out, "--from", page.url, "--seconds", 60)
        capture = Thread(target=lambda: results.append(run(*command)))
        capture.start()
        witness = page.running.service._witness
        assert witness is not None
        wait_until(lambda: witness.recent.followers == 2 and out.exists(), "the capture")
    capture.join(60)
    summary, trouble = results[0].output.splitlines()
    assert results[0].exit_code == 1
    assert summary == f"{out}: {out.stat().st_size} bytes of spans"
    assert trouble.startswith(f"{page.url}: the answer ended in the middle: ")
    assert messages(out) == [encoded(span(1, 1))]


def test_a_full_disk_ends_a_capture_with_one_line(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.symlink_to("/dev/full")
    with shown() as page:
        page.send(encoded(span(1, 1)))
        done = run("capture", "--out", out, "--from", page.url, "--seconds", 30)
    assert (done.exit_code, done.output) == (1, f"{out}: No space left on device\n")
    assert [one.name for one in tmp_path.iterdir()] == ["out"]
