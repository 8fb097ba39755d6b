"""`milvus-otel top`: all requests of the last minutes, kept or not."""

from __future__ import annotations

from time import sleep
from typing import Any, Literal

import click

from milvus_otel_processor.cli.complaints import fail
from milvus_otel_processor.cli.options import NO_PAGE, console, format_option, page_options, usual_page
from milvus_otel_processor.page.client import Client, ClientError
from milvus_otel_processor.printable import as_json
from milvus_otel_processor.requests.summary import KEYS, SORTS, USUAL_KEYS
from milvus_otel_processor.requests.windows import MINUTES
from milvus_otel_processor.top.keyboard import keyboard
from milvus_otel_processor.top.live import follow
from milvus_otel_processor.top.screen import HELP, screen
from milvus_otel_processor.top.view import View

_END = "Ctrl-C quit"


def _keys(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    del ctx, param
    keys = tuple(dict.fromkeys(value.replace(" ", "").split(",")))
    for key in keys:
        if key not in KEYS:
            raise click.BadParameter(f"{key!r}, expected one or more of {', '.join(KEYS)}, with commas between them")
    return keys


def _values(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    del ctx, param
    found = []
    for value in values:
        key, equals, wanted = value.partition("=")
        if not equals or key not in KEYS:
            raise click.BadParameter(
                f"{value!r}, expected KEY=VALUE, such as collection=products; a key is one of {', '.join(KEYS)}"
            )
        found.append((key, wanted))
    return tuple(found)


@click.command("top")
@page_options
@click.option(
    "--minutes",
    type=click.Choice([str(one) for one in MINUTES]),
    default="5",
    show_default=True,
    help="How far to look back.",
)
@click.option(
    "--sort", type=click.Choice(SORTS), default=SORTS[0], show_default=True, help="What comes first: the most of this."
)
@click.option(
    "--by",
    callback=_keys,
    default=",".join(USUAL_KEYS),
    show_default=True,
    metavar="KEY,…",
    help=f"What makes a row: {', '.join(KEYS)}.",
)
@click.option(
    "--where",
    callback=_values,
    multiple=True,
    metavar="KEY=VALUE",
    help="Only requests with this value of a key. May be given often.",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Rows at the most.")
@click.option(
    "--interval",
    type=click.FloatRange(0.5, 3600),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look.",
)
@click.option("--once", is_flag=True, help="Print the table and end, as is done where the output is no terminal.")
@format_option("text", "json", text="How to print it; json is what the API answers, once.")
def command(  # noqa: PLR0917 - click calls it by name
    url: str | None,
    token: str | None,
    minutes: str,
    sort: str,
    by: tuple[str, ...],
    where: tuple[tuple[str, str], ...],
    *,
    limit: int,
    interval: float,
    once: bool,
    form: Literal["text", "json"],
) -> None:
    r"""Show which requests Milvus serves, how long they take, how many fail, and where their time goes.

    All requests count, also those whose traces are not kept. Without --from it asks the stack's processor, or the demo's, on this
    host.

    Keys: s sorts by the next column, w takes the next window (1, 5, 60 minutes), g groups by other keys, / filters by what you type
    (Enter ends it, Escape clears it), p pauses, q quits.

    \b
    Examples:
      milvus-otel top
      milvus-otel top --minutes 60 --sort p99_ms
      milvus-otel top --by collection --where operation=Search
      milvus-otel top --once --format json --where collection=products | jq '.rows[0].p99_ms'
    """
    view = View(int(minutes), by, sort, where, limit)
    out = console()
    page = url or usual_page()
    if page is None:
        fail(" ".join(NO_PAGE))
    try:
        client = Client(page, token)

        def ask(path: str) -> dict[str, Any]:
            return client.get(path, "counted", "all", "rows")

        if once or form == "json" or not out.is_terminal:
            answer = ask(view.path)
            if form == "json":
                click.echo(as_json(answer))
            else:
                out.print(screen(answer, view, out.width))
            return
        with keyboard() as key:
            follow(ask, view, out, interval=interval, key=key or _asleep, keys=HELP if key is not None else _END)
    except ClientError as error:
        fail(error)
    except KeyboardInterrupt:
        return  # the usual way to end what keeps itself up to date


def _asleep(seconds: float) -> str:
    sleep(seconds)
    return ""
