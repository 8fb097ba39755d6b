"""`milvus-otel capture`: records what comes in, in the files that a Collector would write."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Thread
from typing import IO, TYPE_CHECKING

import click

from milvus_otel_processor.cli.options import page_options

if TYPE_CHECKING:
    from milvus_otel_processor.page.client import Client

_LINES = ".access.log"


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
    --mib, or with Ctrl-C; what was recorded until then stays. FILE is what the file exporter writes with `format: proto`,
    for `milvus-otel replay`.

    \b
    Examples:
      milvus-otel capture --out traces.binpb --from http://127.0.0.1:18888
      milvus-otel capture --out traces.binpb --listen 127.0.0.1:4317 --seconds 600
      milvus-otel replay traces.binpb --access-log traces.binpb.access.log
    """
    if (url is None) == (listen is None):
        raise click.UsageError("expected one of --from, with the address of a running processor, and --listen")
    lines = out.with_name(out.name + _LINES)
    size = int(mib * (1 << 20))
    try:
        with _Opened(out) as spans, _Opened(lines) as log:
            if url is not None:
                _ask(url, token, f"?seconds={seconds:g}&mib={mib:g}&past={str(past).lower()}", spans, log)
            else:
                _listen(listen or "", seconds, size, spans, log)
    except OSError as error:
        click.echo(f"{error.filename or out}: {error.strerror}", err=True)
        sys.exit(1)
    if not lines.stat().st_size:
        lines.unlink()
    if not out.stat().st_size:
        click.echo(f"{out}: no span came in", err=True)
        sys.exit(1)
    also = f", and {lines.stat().st_size:,} bytes of lines in {lines}" if lines.exists() else ""
    click.echo(f"{out}: {out.stat().st_size:,} bytes of spans{also}")


class _Opened:
    """A file to be written; Ctrl-C leaves what is in it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> IO[bytes]:
        self._file = self._path.open("wb")
        return self._file

    def __exit__(self, *_: object) -> bool:
        self._file.close()
        return isinstance(sys.exc_info()[1], KeyboardInterrupt)


def _ask(url: str, token: str | None, query: str, spans: IO[bytes], log: IO[bytes]) -> None:
    from milvus_otel_processor.page.client import Client, ClientError  # noqa: PLC0415 - listening needs neither

    try:
        client = Client(url, token)
        beside = Thread(target=_stream_lines, args=[client, f"/capture/access-log{query}", log], daemon=True)
        beside.start()
        client.stream(f"/capture/traces{query}", spans)
        beside.join()
    except ClientError as error:
        click.echo(str(error), err=True)
        sys.exit(1)


def _stream_lines(client: Client, path: str, log: IO[bytes]) -> None:
    from milvus_otel_processor.page.client import ClientError  # noqa: PLC0415

    try:
        client.stream(path, log)
    except ClientError as error:
        click.echo(f"lines of the access log: {error}", err=True)
    except (OSError, ValueError):
        return  # the file was closed: the capture has ended


def _listen(endpoint: str, seconds: float, size: int, spans: IO[bytes], log: IO[bytes]) -> None:
    from milvus_otel_processor.page.listener import Listener, ListenError  # noqa: PLC0415 - it brings gRPC

    try:
        with Listener(endpoint, spans, log, size) as listener:
            click.echo(f"listening at {listener.endpoint}, for {seconds:g} s at the most; Ctrl-C ends it", err=True)
            listener.wait(seconds)
    except ListenError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
