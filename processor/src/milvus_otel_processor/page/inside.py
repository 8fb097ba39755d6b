"""What the page and its API see of the running processor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from milvus_otel_processor.doctor.peers import Peer
    from milvus_otel_processor.page.settings import PageSettings
    from milvus_otel_processor.page.witness import Witness
    from milvus_otel_processor.service.assemble import Processors
    from milvus_otel_processor.telemetry.counters import Snapshot
    from milvus_otel_processor.telemetry.family import Source


@dataclass
class Inside:
    """Handed to every function that answers."""

    settings: PageSettings
    witness: Witness
    processors: Processors
    """The processors with the rules of the start; those in force are the witness's."""
    snapshot: Callable[[], Snapshot]
    obstacle: Callable[[], str | None]
    """Says why no request is taken now."""
    decided_until: Callable[[], float]
    """Up to when all traces are decided; seconds of `clock`."""
    clock: Callable[[], float]
    metrics: Source
    """All metrics, for Prometheus."""
    facts: dict[str, str] = field(default_factory=dict)
    """Where it listens, what it exports to, and the like: for people."""
    peers: tuple[Peer, ...] = ()
    """What the configuration says that it connects to: for the doctor."""
    rules_file: Path | None = None
    """The file that the rules are from, where they have one of their own."""
    config_file: Path | None = None
    """The configuration; None for the built-in one."""
