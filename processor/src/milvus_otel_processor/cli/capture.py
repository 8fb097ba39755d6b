"""`milvus-otel capture`: records what comes in, in the files that a Collector would write."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import click

from milvus_otel_processor.cli.complaints import complain, fail
from milvus_otel_processor.cli.options import page_options
from milvus_otel_processor.page.capture_files import CaptureFiles

if TYPE_CHECKING:
    from milvus_otel_processor.page.client import Client

_LINES = ".access.log"
_LINES_AFTER_SECONDS = 3.0
"""For which lines are still taken when the spans have ended, be it by their size: they come a moment after them."""


@click.command("capture")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Where the spans go.")
@page_options
@click.option("--listen", metavar="HOST:PORT", help="Receive OTLP over gRPC there, instead of asking a processor.")
@click.option(
    "--seconds", type=click.FloatRange(0, 3600), default=60.0, show_default=True, help="For how long, at the most."
)
@click.option("--mib", type=click.FloatRange(0.001, 4096), default=64.0, show_default=True, help="How much, of each.")
@click.option(
    "--past/--no-past",
    default=True,
    show_default=True,
    help="Begin with what the processor remembers of the last minutes.",
)
def command(  # noqa: PLR0917 - click calls it by name
    out: Path, url: str | None, token: str | None, listen: str | None, seconds: float, mib: float, *, past: bool
) -> None:
    r"""Record what comes in: spans into FILE, lines of Milvus' access log into FILE.access.log.

    From a running processor, by its page's address, or by listening where a Collector can send to. It ends after --seconds, with
    --mib, or with Ctrl-C; what was recorded until then stays. What was in the files before is replaced when the first spans
    come in. FILE is what the file exporter writes with `format: proto`, for `milvus-otel replay`.

    \b
    Examples:
      milvus-otel capture --out traces.binpb --from http://127.0.0.1:18888
      milvus-otel capture --out traces.binpb --listen 127.0.0.1:4317 --seconds 600
      milvus-otel replay traces.binpb --access-log traces.binpb.access.log
    """
    if (url is None) == (listen is None):
        raise click.UsageError("expected one of --from, with the address of a running processor, and --listen")
    lines = Path(f"{out}{_LINES}")
    files = CaptureFiles(out, lines)
    trouble = None
    try:
        if url is not None:
            trouble = _ask(url, token, f"?seconds={seconds:g}&mib={mib:g}&past={str(past).lower()}", seconds, files)
        else:
            _listen(listen or "", seconds, int(mib * (1 << 20)), files)
    except OSError as error:
        fail(f"{error.filename or out}: {error.strerror}")
    if not files.span_bytes:
        fail(trouble or f"{out}: no span came in")
    also = f", and {files.line_bytes:,} bytes of lines in {lines}" if files.line_bytes else ""
    click.echo(f"{out}: {files.span_bytes:,} bytes of spans{also}")
    if trouble is not None:
        fail(trouble)


def _ask(url: str, token: str | None, query: str, seconds: float, files: CaptureFiles) -> str | None:
    """Record what a processor tells, and return why that ended too early; None where it did not."""
    from milvus_otel_processor.page.client import Client, ClientError  # noqa: PLC0415 - listening needs neither

    troubles: list[str] = []
    try:
        client = Client(url, token)
        with client.stream(f"/capture/traces{query}", seconds) as parts, files, suppress(KeyboardInterrupt):
            path = f"/capture/access-log{query}"
            beside = Thread(target=_take_lines, args=[client, path, seconds, files, troubles], daemon=True)
            beside.start()
            for part in parts:
                files.write_spans(part)
            beside.join(_LINES_AFTER_SECONDS)
    except ClientError as error:
        return str(error)
    return troubles[0] if troubles else None


def _take_lines(client: Client, path: str, seconds: float, files: CaptureFiles, troubles: list[str]) -> None:
    from milvus_otel_processor.page.client import ClientError  # noqa: PLC0415

    try:
        with client.stream(path, seconds) as parts:
            for part in parts:
                files.write_lines(part)
    except ClientError as error:
        troubles.append(f"lines of the access log: {error}")
    except OSError as error:
        troubles.append(f"lines of the access log cannot be written: {error.strerror}")


def _listen(endpoint: str, seconds: float, size: int, files: CaptureFiles) -> None:
    from milvus_otel_processor.page.listener import Listener, ListenError  # noqa: PLC0415 - it brings gRPC

    try:
        listener = Listener(endpoint, files, size)
    except ListenError as error:
        fail(error)
    with files, listener, suppress(KeyboardInterrupt):
        complain(f"listening at {listener.endpoint}, for {seconds:g} s at the most; Ctrl-C ends it")
        listener.wait(seconds)
