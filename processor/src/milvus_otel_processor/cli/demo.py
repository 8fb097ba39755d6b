"""`milvus-otel demo`: a real Milvus, two applications and the processor, and what came out of them."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from milvus_otel_processor.cli.complaints import fail
from milvus_otel_processor.demo.errors import DemoError
from milvus_otel_processor.installing import how_to_install
from milvus_otel_processor.terminal import Terminal

if TYPE_CHECKING:
    from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command("demo")
@click.option(
    "--export",
    metavar="HOST:PORT",
    help="Send the traces that are kept to an OTLP/gRPC receiver as well, such as a Jaeger's port 4317.",
)
@click.option(
    "--serve", is_flag=True, help="Keep all running afterwards, for an application of your own, until Ctrl-C."
)
def command(export: str | None, *, serve: bool) -> None:
    r"""Show the processor at work, on a real Milvus in a temporary folder.

    Starts Milvus 2.3.5 and two small applications that use it, one with our client and one without, lets the processor
    sample their traces by its built-in rules, and shows what was kept and why, and what is known of it. Nothing is left
    behind, whenever it is ended.

    \b
    Examples:
      milvus-otel demo
      milvus-otel demo --export 127.0.0.1:4317    # to a Jaeger, as well
      milvus-otel demo --serve                    # for an application of your own
    """
    _end_on_signals()
    try:
        from milvus_otel_processor.demo.run import run_demo  # noqa: PLC0415 - needs the extra `demo`
    except ModuleNotFoundError as error:
        fail(f"{error}; the demo needs more packages: {how_to_install('demo')}")
    try:
        run_demo(Terminal(), export=export, serve=serve)
    except DemoError as error:
        fail(f"milvus-otel demo: {error}")


def _end_on_signals() -> None:
    """Leave on the first signal by way of all that is to be cleaned up; on the second at once: the guardians clean up."""
    received: list[int] = []

    def end(number: int, frame: FrameType | None) -> NoReturn:
        del frame
        if received:
            os._exit(128 + number)
        received.append(number)
        logging.disable()  # that one part no longer finds another is no news while all of them end
        sys.exit(128 + number)

    for number in _ENDING:
        signal.signal(number, end)
