"""All requests, whatever is kept of them: at the API and in `milvus-otel top`, of recorded traffic."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from milvus_otel_processor.cli import main
from milvus_otel_processor.extensions.bearer_token import BearerTokenSettings
from pydantic import SecretStr

from tests.page.traffic import RECORDING, recorded_traffic
from tests.peers.process import free_port
from tests.support.page import Shown, shown

METHODS = ("Search", "Query", "Insert", "Upsert", "Delete")
TRUTH = Counter(
    rpc["rpc"] for call in RECORDING.truth for rpc in call["rpcs"] if rpc.get("span_id") and rpc["rpc"] in METHODS
)
"""How often Milvus served each of them, as was written down while the traffic was recorded."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with recorded_traffic(tmp_path_factory.mktemp("rules")) as running:
        yield running


def top(page: Shown, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["top", "--from", page.url, *arguments], catch_exceptions=False)


def test_every_request_is_counted_whatever_is_kept(page: Shown) -> None:
    found = page.get("/requests?minutes=60&by=operation").json()
    assert found["counted"]
    counted = {row["operation"]: row["requests"] for row in found["rows"]}
    assert {method: count for method, count in counted.items() if method in METHODS} == TRUTH
    assert len(TRUTH) > 1
    assert sum(counted.values()) == found["all"]["requests"] > found["all"]["kept"] > 0
    assert found["all"]["errors"] > 0


def test_top_prints_the_same_as_the_api_answers(page: Shown) -> None:
    said = top(page, "--once", "--format", "json", "--minutes", "60", "--by", "operation")
    assert said.exit_code == 0
    answered = page.get("/requests?minutes=60&by=operation").json()
    rows: list[dict[str, Any]] = json.loads(said.stdout)["rows"]
    assert [(row["operation"], row["requests"], row["p99_ms"]) for row in rows] == [
        (row["operation"], row["requests"], row["p99_ms"]) for row in answered["rows"]
    ]


def test_top_prints_a_table_where_the_output_is_no_terminal(page: Shown) -> None:
    said = top(page, "--where", "operation=Search")
    assert said.exit_code == 0
    assert "requests in the last" in said.stdout
    assert "Below: only operation Search." in said.stdout
    assert "Search " in said.stdout
    assert "Insert " not in said.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "colour"], "'colour', expected one or more of database, collection"),
        (["--where", "collection"], "'collection', expected KEY=VALUE, such as collection=products"),
        (["--where", "colour=red"], "'colour=red', expected KEY=VALUE"),
        (["--minutes", "7"], "'7' is not one of '1', '5', '60'"),
        (["--interval", "0"], "0.0 is not in the range"),
    ],
    ids=["a key", "no value", "a key of a filter", "minutes", "interval"],
)
def test_what_is_wrong_with_an_option_is_said(page: Shown, arguments: list[str], said: str) -> None:
    result = top(page, *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_without_a_processor_it_says_what_was_expected() -> None:
    result = CliRunner().invoke(main, ["top", "--from", f"http://127.0.0.1:{free_port()}"])
    assert result.exit_code == 1
    assert "no answer: Connection refused; expected a running processor with service.telemetry.page" in result.stderr


def test_a_token_is_wanted_and_taken_from_a_file(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("geheim\n", encoding="utf-8")
    with shown(token=BearerTokenSettings(token=SecretStr("geheim"))) as page:
        without = top(page, "--once")
        assert without.exit_code == 1
        assert "token" in without.stderr
        assert "geheim" not in without.stderr
        said = top(page, "--once", "--token-file", str(token))
        assert said.exit_code == 0


def test_a_pipeline_without_the_processor_milvus_says_that_requests_are_not_counted() -> None:
    with shown() as page:
        assert page.get("/requests").json()["counted"] is False
        assert "Requests are not counted here" in top(page, "--once").stdout
