"""`milvus-otel doctor`: why traces are missing, or not joined."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING, Literal, NamedTuple

import click
from rich.text import Text

from milvus_otel_processor.cli.options import NO_PAGE, console, format_option, page_options, usual_page
from milvus_otel_processor.doctor import neighbours
from milvus_otel_processor.doctor.finding import Finding
from milvus_otel_processor.doctor.neighbours import Place
from milvus_otel_processor.doctor.probe import Hops, probe
from milvus_otel_processor.page.client import Client, ClientError

if TYPE_CHECKING:
    from rich.console import Console

_COLLECTOR, _GRPC = "http://127.0.0.1:4318", "127.0.0.1:14317"
_MILVUS, _MANAGEMENT, _JAEGER = "127.0.0.1:19530", "http://127.0.0.1:9091", "http://127.0.0.1:16686"
_INDENT = 11
_WORDS = {
    "good": ("fine", "green"),
    "warn": ("look at", "yellow"),
    "bad": ("wrong", "red"),
    "unknown": ("not known", "dim"),
}


@click.command("doctor")
@page_options
@click.option("--collector", metavar="URL", help=f"The Collector's OTLP/HTTP receiver.  [default: {_COLLECTOR}]")
@click.option("--collector-health", metavar="URL", help="Its health_check extension, if that can be reached.")
@click.option("--collector-metrics", metavar="URL", help="Its own metrics, if they can be reached.")
@click.option("--milvus", metavar="HOST:PORT", help=f"Milvus' gRPC port.  [default: {_MILVUS}]")
@click.option("--milvus-management", metavar="URL", help=f"Milvus' management port.  [default: {_MANAGEMENT}]")
@click.option("--jaeger", metavar="URL", help=f"Jaeger's page.  [default: {_JAEGER}]")
@click.option("--probe", "probes", is_flag=True, help="Send one traced request, and follow it hop by hop.")
@click.option(
    "--otlp",
    metavar="URL|HOST:PORT",
    help="Where the probe's span goes; without it the Collector, or else the processor.",
)
@click.option(
    "--timeout",
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the probe waits at a hop, beyond decision_wait.",
)
@format_option("text", "json", text="How to say it.")
def command(  # noqa: PLR0917 - click calls it by name
    url: str | None,
    token: str | None,
    collector: str | None,
    collector_health: str | None,
    collector_metrics: str | None,
    milvus: str | None,
    milvus_management: str | None,
    jaeger: str | None,
    *,
    probes: bool,
    otlp: str | None,
    timeout: float,
    form: Literal["text", "json"],
) -> None:
    r"""Find out why traces are missing or not joined, in the order in which a trace travels; each finding with what to do.

    Asks what answers on this host, of the stack, of the demo or of single parts; options say where else they are. The status is 1
    where something is wrong: also where no processor answers, or a part does not that an option or its configuration names.

    \b
    Examples:
      milvus-otel doctor
      milvus-otel doctor --probe
      milvus-otel doctor --from http://127.0.0.1:18888 --milvus milvus.example:19530
    """
    page, told = _page(url, token)
    places = {
        "collector": _place(collector, _COLLECTOR),
        "milvus": _place(milvus, _MILVUS),
        "management": _place(milvus_management, _MANAGEMENT),
        "jaeger": _place(jaeger, _JAEGER),
    }
    findings: list[Finding] = []
    out = console()
    findings += (
        *neighbours.application(os.environ),
        *neighbours.milvus(places["milvus"]),
        *neighbours.milvus_management(places["management"]),
        *neighbours.collector(places["collector"]),
        *(neighbours.collector_health(collector_health) if collector_health else ()),
        *(neighbours.collector_metrics(collector_metrics) if collector_metrics else ()),
        *told.findings,
        *neighbours.jaeger(places["jaeger"], told.exported_spans),
    )
    if form == "text":
        for one in findings:
            _say(one, out)
    if probes:
        for one in probe(_hops(places, page, findings, otlp), timeout):
            findings.append(one)
            if form == "text":
                _say(one, out)
    if form == "json":
        click.echo(neighbours.as_json(findings))
    if any(one.state == "bad" for one in findings):
        sys.exit(1)


def _place(given: str | None, usual: str) -> Place:
    return Place(given or usual, given is not None)


class _Told(NamedTuple):
    """What the processor tells."""

    findings: list[Finding]
    exported_spans: int | None = None
    """Since its start, if it is known."""


def _page(url: str | None, token: str | None) -> tuple[Client | None, _Told]:
    """Return what asks the processor, if one answers, and what it tells."""
    where = url if url is not None else usual_page()
    if where is None:
        return None, _Told([Finding("bad", *NO_PAGE)])
    try:
        client = Client(where, token)
        found = client.get("/doctor", "findings")
    except ClientError as error:
        words = f"The processor was not asked: {error}."
        return None, _Told([Finding("bad", words, "Say where its page is: --from URL.")])
    answers = [Finding("good", f"The processor answers at {client.url}.")]
    answers += [Finding(**one) for one in found["findings"]]
    return client, _Told(answers, found.get("exported_spans"))  # an older processor does not tell them


def _hops(places: dict[str, Place], page: Client | None, findings: list[Finding], otlp: str | None) -> Hops:
    words = " ".join(one.words for one in findings if one.state == "good")
    takes = "The Collector takes traces" in words
    return Hops(
        milvus=places["milvus"].address if "Milvus " in words else None,
        otlp=otlp or (places["collector"].address if takes else _GRPC),
        page=page,
        jaeger=places["jaeger"].address if "Jaeger has" in words or places["jaeger"].is_given else None,
    )


def _say(one: Finding, out: Console) -> None:
    word, style = _WORDS[one.state]
    head, *more = _lines(one.words, out)
    out.print(Text.assemble((f"{word:>9}", f"bold {style}"), f"  {head}"), soft_wrap=True)
    for line in more:
        out.print(Text(f"{'':>9}  {line}"), soft_wrap=True)
    for line in _lines(one.advice, out) if one.advice else ():
        out.print(Text(f"{'':>9}  {line}", style="dim"), soft_wrap=True)


def _lines(text: str, out: Console) -> list[str]:
    """Return the lines of a text, which on a terminal stand below one another."""
    return textwrap.wrap(text, max(20, out.width - _INDENT), break_on_hyphens=False) if out.is_terminal else [text]
