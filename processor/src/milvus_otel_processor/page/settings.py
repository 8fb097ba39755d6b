"""`service.telemetry.page`: the live page and its API."""

from __future__ import annotations

from pydantic import Field

from milvus_otel_processor.settings import Address, AuthSettings, Settings, Url


class PageSettings(Settings):
    """The live page and its API, which show what comes in and what was decided about it. Not in the Collector."""

    endpoint: Address = Field(
        default="127.0.0.1:18888",
        description="host:port to listen on; it may be that of a reader of the metrics. Whoever reaches it can read spans.",
    )
    auth: AuthSettings | None = Field(
        default=None, description="Who may use the API; without it whoever reaches the endpoint."
    )
    allowed_hosts: list[str] = Field(
        default=[],
        description="Names, without a port, under which the page may be asked for, beside `localhost`, the host of the endpoint "
        "and any address in digits.",
    )
    apply_rules: bool = Field(
        default=False, description="Whether rules that were tried on the page may be written to their file from there."
    )
    jaeger: Url = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="The URL of Jaeger's own page, which traces that were kept are linked to; empty for no links.",
    )
    decided_traces_mib: int = Field(
        default=16,
        ge=0,
        description="How much memory decided traces take that can be looked at, kept or not: of those that a `drop` policy dropped "
        "one in sixteen, of the others all; where many come about 50 a second of those that are kept, as many of those that no "
        "policy wanted, and 20 dropped ones. The oldest are forgotten. MiB.",
    )
    recent_requests_mib: int = Field(
        default=48,
        ge=0,
        description="How much memory requests take on which other rules can be tried. The oldest are forgotten. MiB.",
    )
