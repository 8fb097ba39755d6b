"""Settings of the `milvus` processor."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from milvus_otel_processor.enrichment.attributes import ATTRIBUTES, NAMES
from milvus_otel_processor.requests.settings import RequestsSettings
from milvus_otel_processor.settings import Duration, Settings, Url
from milvus_otel_processor.tls import ClientTlsSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = ("client", "access_log", "channel")
"""The sources that there are, in the order in which they are tried by default."""

_CUSTOM = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class CatalogueSettings(Settings):
    """What is asked of Milvus about its collections, in the background."""

    enabled: bool = Field(default=True, description="Ask Milvus about its collections.")
    databases: list[str] = Field(
        default=[], description="The databases to ask about; none for all that the user can see."
    )
    interval: Duration = Field(default=60.0, description="How long from one refresh to the next; seconds.")
    randomization_factor: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="An interval is between 1 less this and 1 plus this times its length, so that several processors spread.",
    )
    max_interval: Duration = Field(
        default=60.0, description="The longest pause while Milvus does not answer; each is twice the last; seconds."
    )
    miss_interval: Duration = Field(
        default=1.0, description="How soon after a collection that is not known yet Milvus is asked again; seconds."
    )
    stale_after: Duration = Field(
        default=600.0, description="When facts that Milvus does not confirm any more are marked as stale; seconds."
    )
    timeout: Duration = Field(default=5.0, description="How long one call may take; seconds.")


class AccessLogSettings(Settings):
    """The lines of Milvus' access log that wait for their trace."""

    max_lines: int = Field(default=100_000, gt=0, description="Lines that are held at the most; the oldest go first.")
    hold: Duration = Field(
        default=30.0,
        description="How long a line is held beyond the time that traces wait for their decision; seconds.",
    )


class SelectionSettings(Settings):
    """A choice of attributes."""

    include: list[str] = Field(description="Names, in which `*` stands for anything.")
    exclude: list[str] = Field(default=[], description="Names that are left out all the same; `*` stands for anything.")


class AttributesSettings(Settings):
    """Which attributes go on which spans."""

    subtree: SelectionSettings = Field(
        default=SelectionSettings(include=[attribute.name for attribute in NAMES]),
        description="On every span of a request.",
    )
    request: SelectionSettings = Field(
        default=SelectionSettings(include=["*"]),
        description="On the request's own span. `enduser.id` only where it is included by its whole name.",
    )


class MilvusSettings(Settings):
    """Enrichment of the spans of Milvus requests."""

    uri: Url = Field(
        default="http://localhost:19530",
        pattern=r"^https?://[^/\s]+/?$",
        description="Where Milvus is; `https` for TLS.",
    )
    user: str = Field(default="", description="The Milvus user, where Milvus asks for one.")
    password: SecretStr = Field(default=SecretStr(""), description="The user's password.")
    token: SecretStr = Field(
        default=SecretStr(""), description="A token, or user:password, instead of `user` and `password`."
    )
    tls: ClientTlsSettings = Field(
        default=ClientTlsSettings(), description="How the connection is secured; used with an `https` uri."
    )
    sources: list[str] = Field(
        default=list(SOURCES),
        description="What is asked about each request, the first that knows counts: `client`, `access_log`, `channel`, and "
        "sources of your own as `my_package.module:Class`.",
    )
    access_log: AccessLogSettings = Field(
        default=AccessLogSettings(), description="The lines that wait for their trace."
    )
    catalogue: CatalogueSettings = Field(default=CatalogueSettings(), description="What Milvus is asked.")
    attributes: AttributesSettings = Field(
        default=AttributesSettings(), description="Which attributes go on which spans."
    )
    requests: RequestsSettings = Field(
        default=RequestsSettings(), description="Metrics of all requests, kept or not, and where their time went."
    )
    wait_duration: Duration = Field(
        default=10.0,
        description="How long a trace is gathered before it is enriched; counts where `tail_sampling`, whose `decision_wait` "
        "does the same, is not in the pipeline; seconds.",
    )

    def notes(self) -> list[str]:
        """Return what of the settings can never matter."""
        return list(self._notes())

    def _notes(self) -> Iterator[str]:
        catalogue = self.catalogue
        if not catalogue.enabled and catalogue.model_fields_set - {"enabled"}:
            yield "catalogue.enabled: is false, so that the other settings of the catalogue mean nothing"
        if "access_log" not in self.sources and self.access_log.model_fields_set:
            yield "access_log: means nothing, because sources does not list access_log"
        if catalogue.enabled and catalogue.stale_after < catalogue.interval:
            yield "catalogue.stale_after: is shorter than interval, so that facts are stale before they are read again"
        if self.tls.model_fields_set and self.uri.startswith("http://"):
            yield "tls: means nothing, because the uri begins with http://, so that plain text is sent"

    @field_validator("sources")
    @classmethod
    def _each_source_exists(cls, sources: list[str]) -> list[str]:
        for source in sources:
            if source not in SOURCES and not _CUSTOM.fullmatch(source):
                raise ValueError(f"expected {', '.join(SOURCES)} or my_package.module:Class, not {source!r}")
        if len(set(sources)) < len(sources):
            raise ValueError("expected each source once")
        return sources

    @model_validator(mode="after")
    def _user_or_token(self) -> Self:
        if self.token.get_secret_value() and self.user:
            raise ValueError("expected token, or user and password, not both")
        return self

    @model_validator(mode="after")
    def _patterns_match(self) -> Self:
        # A source of the user's own may write attributes that only it knows.
        if set(self.sources) <= set(SOURCES):
            for name, selection in (("subtree", self.attributes.subtree), ("request", self.attributes.request)):
                for pattern in (*selection.include, *selection.exclude):
                    if not any(fnmatchcase(attribute.name, pattern) for attribute in ATTRIBUTES):
                        raise ValueError(f"attributes.{name}: no attribute matches {pattern!r}: see docs/enrichment.md")
        return self
