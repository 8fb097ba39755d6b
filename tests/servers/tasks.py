"""A task of Celery that searches; its broker is a folder."""

from __future__ import annotations

import os

import milvus_otel_client
from celery import Celery
from pymilvus import MilvusClient

milvus_otel_client.setup()
folder = os.environ["BROKER_FOLDER"]
app = Celery(
    "tasks",
    broker="filesystem://",
    broker_transport_options=dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), folder),
    task_ignore_result=True,
    worker_hijack_root_logger=False,
)


@app.task(name="search")  # type: ignore[untyped-decorator] # it has no types
def search() -> int:
    return len(MilvusClient(os.environ["MILVUS_URI"]).search("c", [[0.1, 0.2, 0.3, 0.4]], limit=2)[0])
