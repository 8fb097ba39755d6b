"""Python programs in processes of their own, which send what they trace to a receiver here."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from client.tests.fake_milvus import FakeMilvus
    from tests.client_e2e.traces import Receiver

SECONDS = 120
"""How long a program may take, on a machine that does much else; none takes more than a few."""
SEARCH = """
from pymilvus import MilvusClient
print(len(MilvusClient("{uri}").search("c", [[0.1, 0.2, 0.3, 0.4]], limit=2)[0]), flush=True)
"""


UNTIMED = {"OTEL_BSP_SCHEDULE_DELAY": "3600000", "OTEL_METRIC_EXPORT_INTERVAL": "3600000"}
"""Nothing is sent because time has passed: what a slow machine's timer sends would hide what is not sent at the end."""


def environment(milvus: FakeMilvus, receiver: Receiver | None = None, **variables: str) -> dict[str, str]:
    """The environment of a program: where Milvus is, and the receiver."""
    to = {} if receiver is None else {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.endpoint}"}
    return {**os.environ, **UNTIMED, "MILVUS_URI": milvus.uri, "OTEL_SERVICE_NAME": "shop", **to, **variables}


def start(code: str, variables: dict[str, str]) -> subprocess.Popen[str]:
    """Start a program, whose output is read later."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code.replace("{uri}", variables["MILVUS_URI"])],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def terminate(process: subprocess.Popen[str]) -> None:
    """Send SIGTERM until the program has ended.

    Python looks at signals between some of its instructions only: one that comes right before `signal.pause` does not end
    the pause, the next one does. Measured on Python 3.14: 74 of 400 starts.
    """
    for _ in range(int(SECONDS)):
        process.terminate()
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            continue
        return


def operations(receiver: Receiver) -> list[str]:
    """The names of spans that came, without those of rpcs."""
    return sorted(span.name for span in receiver.spans() if not span.name.startswith("/"))
