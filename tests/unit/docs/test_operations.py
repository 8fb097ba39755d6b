"""The runbook says what is so: the privileges that the catalogue needs, the unit that systemd takes, the keys of a line as JSON."""

import json
import logging
import re
import subprocess
from pathlib import Path

from milvus_otel_processor.enrichment.catalogue import milvus
from milvus_otel_processor.pipeline.limits import memory
from milvus_otel_processor.telemetry.log import JsonFormatter

from tests.peers.missing import require_command

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_privileges_that_are_named_are_those_of_the_calls_that_the_catalogue_makes() -> None:
    api, _ = milvus._pymilvus()
    source = Path(milvus.__file__).read_text(encoding="utf-8")
    requests = set(re.findall(r"\b(\w+Request)\(", source))
    assert len(requests) > 5
    said = {name: str(getattr(api, name).DESCRIPTOR.GetOptions()) for name in requests}
    needed = {
        found[1] for options in said.values() if (found := re.search(r"object_privilege: Privilege(\w+)", options))
    }
    named = set(re.findall(r"^\| `(\w+)` \|", section("Rights in Milvus"), re.MULTILINE))
    assert named == needed


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    analyze = require_command("systemd-analyze", "the check of the unit")
    unit = re.search(r"```ini\n(.*?)```", section("As a systemd service"), re.DOTALL)
    assert unit is not None
    file = tmp_path / "milvus-otel.service"
    file.write_text(unit[1].replace("/opt/milvus-otel/bin/milvus-otel", "/bin/true"), encoding="utf-8")
    verified = subprocess.run(
        [analyze, "verify", "--man=no", file], capture_output=True, text=True, timeout=60, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_size_of_a_waiting_span_is_what_the_memory_limit_counts() -> None:
    of_span, of_trace = map(int, re.findall(r"its bytes and (\d+) more, a trace (\d+) more", PAGE)[0])
    assert memory(0, 1, 350) == 350 + of_span
    assert memory(1, 0, 0) == of_trace


def test_the_line_of_the_log_that_is_shown_is_one() -> None:
    shown = json.loads(re.search(r"^\{.*\}$", section("The log"), re.MULTILINE)[0])  # type: ignore[index]
    record = logging.LogRecord("x", logging.WARNING, "", 0, shown["msg"], None, None)
    record.__dict__.update({key: value for key, value in shown.items() if key not in {"level", "ts", "msg"}})
    assert json.loads(JsonFormatter().format(record)) | {"ts": ""} == shown | {"ts": ""}
