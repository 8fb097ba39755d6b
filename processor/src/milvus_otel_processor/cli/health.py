"""`milvus-otel health`: whether a processor, or a Collector, would take spans now."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from milvus_otel_processor.certificates import CertificateError, pem
from milvus_otel_processor.cli.complaints import complain, fail
from milvus_otel_processor.other_protocol import of_another_protocol
from milvus_otel_processor.printable import shortened

if TYPE_CHECKING:
    from collections.abc import Callable

Function = TypeVar("Function", bound="Callable[..., Any]")

BUILT_IN_ENDPOINT = "127.0.0.1:14317"
"""Where the built-in configuration receives."""

_NO_PROXY = (("grpc.enable_http_proxy", 0),)
_BROKEN = "those that were saved last are broken; its log says where, and `milvus-otel validate` too"


def _pem_file(name: str, text: str) -> Callable[[Function], Function]:
    """Return what gives a command the option `name` for a PEM file."""
    return click.option(name, type=click.Path(path_type=Path), metavar="FILE", help=f"PEM file {text}")


@click.command("health")
@click.option(
    "--endpoint",
    default=BUILT_IN_ENDPOINT,
    show_default=True,
    metavar="HOST:PORT|URL",
    help="A processor's OTLP/gRPC endpoint, or the URL of a Collector's `health_check` extension.",
)
@_pem_file("--ca-file", "of the authority to trust; with it the gRPC endpoint is asked over TLS.")
@_pem_file("--cert-file", "of a certificate to show, where the processor asks for one.")
@_pem_file("--key-file", "of the key of --cert-file.")
@click.option(
    "--service",
    default="",
    metavar="NAME",
    help="What to ask for: nothing is whether requests are taken now, `alive` whether it runs at all.",
)
@click.option("--timeout", default=3.0, show_default=True, metavar="SECONDS", help="How long the answer may take.")
def command(  # noqa: PLR0917 - click calls it by name
    endpoint: str, ca_file: Path | None, cert_file: Path | None, key_file: Path | None, service: str, timeout: float
) -> None:
    r"""Ask ENDPOINT whether it is healthy: status 0 if it is, else one line that says why and status 1.

    A gRPC endpoint is asked by the standard grpc.health.v1 service, a URL by GET. Made for a container's health check.

    \b
    Examples:
      milvus-otel health
      milvus-otel health --endpoint processor:4317 --service alive
      milvus-otel health --endpoint http://collector:13133
    """
    if endpoint.startswith("http://"):
        problem = _problem_over_http(endpoint, timeout)
    else:
        if (cert_file is None) != (key_file is None) or (cert_file is not None and ca_file is None):
            raise click.UsageError("--cert-file and --key-file go together, and with --ca-file")
        named = (("--ca-file", ca_file), ("--key-file", key_file), ("--cert-file", cert_file))
        tls = tuple(_content(option, file) for option, file in named)
        problem = _problem_over_grpc(endpoint, tls, service, timeout)
        if problem is None and not service and _rules_are_broken(endpoint, tls, timeout):
            complain(f"{endpoint} is healthy, and goes on with older rules: {_BROKEN}")
    if problem:
        fail(f"{endpoint} is not healthy: {problem}")


def _content(option: str, file: Path | None) -> bytes | None:
    try:
        return None if file is None else pem(file)
    except CertificateError as error:
        fail(f"{option} {error}")


def _rules_are_broken(endpoint: str, tls: tuple[bytes | None, ...], timeout: float) -> bool:
    said = _problem_over_grpc(endpoint, tls, "rules", timeout)
    return said is not None and "NOT_SERVING" in said


def _problem_over_http(url: str, timeout: float) -> str | None:
    # No proxy: Docker gives containers that of its user, which knows no names of a stack's network.
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with straight.open(url, timeout=timeout):
            return None
    except urllib.error.HTTPError as error:
        with error:  # it holds the answer's body, which nobody reads
            return f"it answered {error.code} {shortened(error.reason)}"
    except urllib.error.URLError as error:
        return (
            error.reason.strerror if isinstance(error.reason, OSError) and error.reason.strerror else str(error.reason)
        )
    except OSError as error:  # that the connection was closed is one, too
        return str(error)
    except http.client.HTTPException as error:
        return of_another_protocol(error)


def _problem_over_grpc(endpoint: str, tls: tuple[bytes | None, ...], service: str, timeout: float) -> str | None:
    # A health check runs often, and most of what it costs is imports.
    import grpc  # noqa: PLC0415
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    if tls[0] is None:
        channel = grpc.insecure_channel(endpoint, _NO_PROXY)
    else:
        channel = grpc.secure_channel(endpoint, grpc.ssl_channel_credentials(*tls), _NO_PROXY)
    with channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=service), timeout=timeout
            )
        except grpc.RpcError as error:
            return f"{error.code().name}: {shortened(error.details() or '')}"
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return None
    return f"its status is {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}"
