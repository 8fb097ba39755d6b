"""What is said of something else than a processor's page that answers at `--from`: as others wrote it, it could move the cursor."""

from __future__ import annotations

import pytest
from milvus_otel_processor.doctor.web import NotHttpError, ask
from milvus_otel_processor.page.client import Client, ClientError

from tests.support.other_server import HTTP2, answering


def said_of(content: bytes, *keys: str) -> str:
    with answering(content) as endpoint:
        with pytest.raises(ClientError) as found:
            Client(endpoint).get("/requests", *keys)
        return str(found.value).removeprefix(f"{endpoint}")


def http(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body.encode())}\r\n\r\n{body}".encode()


def test_a_grpc_port_is_called_one_by_the_page_s_client_and_by_the_doctor() -> None:
    words = "it does not speak HTTP; it is a gRPC port, most likely"
    assert said_of(HTTP2).startswith(f": {words}; expected the URL of a processor's page")
    with answering(HTTP2) as endpoint, pytest.raises(NotHttpError) as found:
        ask(f"http://{endpoint}/v1/traces")
    assert str(found.value) == words


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", ": it does not speak HTTP; its answer begins with “SSH-2.0-OpenSSH_9.2”; expected"),
        (b"\x1b[31mRED \x1b[2J\x9b", ": it does not speak HTTP; its answer begins with “\\x1b[31mRED \\x1b[2J\\x9b”; expected"),
        (b"x" * 10_000 + b"\n", f": it does not speak HTTP; its answer begins with “{'x' * 59}…”; expected"),
        (http("404 \x1b[31mRED", ""), " answers 404 \\x1b[31mRED: it is no page of a processor; expected"),
        (http("200 OK", "<html>"), " answers 200 OK: it is no page of a processor; expected"),
        (http("200 OK", "[" * 100_000), " answers 200 OK: it is no page of a processor; expected"),
        (http("200 OK", "[1]"), " answers 200 OK: it is no page of a processor; expected"),
        (http("200 OK", '{"status": 1}'), " answers 200 OK: it is no page of a processor; expected"),
        (http("409 No", '{"error": "a\\u001b[2J\\nb"}'), ": a\\x1b[2J\\nb"),
        (http("409 No", f'{{"error": "{"x" * 10_000}"}}'), f": {'x' * 299}…"),
        (http("409 No", '{"error": 1}'), " answers 409 No: it is no page of a processor; expected"),
        (b"HTTP/1.1 200 OK\r\n" + b"a" * 100_000 + b"\r\n\r\n", ": there is no answer in HTTP: got more than 65536 bytes"),
        (b"", ": no answer: Remote end closed connection without response; expected a running processor"),
    ],
    ids=[
        "another protocol",
        "escapes",
        "long",
        "reason",
        "HTML",
        "nested deep",
        "a list",
        "another's JSON",
        "error with escapes",
        "long error",
        "error of another shape",
        "long header",
        "nothing",
    ],
)  # fmt: skip
def test_another_answer_is_described_on_one_line_without_doing_anything(content: bytes, words: str) -> None:
    said = said_of(content, "rows")
    assert said.startswith(words)
    assert said.isprintable()
    assert len(said) < 500


def test_what_another_server_answers_is_not_recorded() -> None:
    with answering(http("200 OK", "<html>")) as endpoint:
        client = Client(endpoint)
        with pytest.raises(ClientError, match="no page of a processor"), client.stream("/capture/traces"):
            pytest.fail("there is nothing to record")
