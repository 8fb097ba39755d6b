"""The settings of the `memory_limiter` extension, with the Collector's names."""

from __future__ import annotations

from pydantic import Field

from milvus_otel_processor.memory.limit import available_memory
from milvus_otel_processor.settings import Settings

_OF_A_CONTAINER, _OF_A_MACHINE = 0.8, 0.25
_MIB = 1 << 20


class MemoryLimiterSettings(Settings):
    """How much memory the whole processor may take; beyond it the receiver refuses, and senders try again later.

    It is in force without being listed under `service.extensions` too; listing it changes its values.
    """

    limit_mib: int = Field(default=0, ge=0, description="The limit; MiB. 0 means `limit_percentage`.")
    limit_percentage: int = Field(
        default=0,
        ge=0,
        le=100,
        description="The limit in percent of the memory that there is: the container's (cgroup), else the machine's. 0 means 80 "
        "of a container's and 25 of a machine's.",
    )

    def notes(self) -> list[str]:
        """Return what of the settings can never matter."""
        if self.limit_mib and self.limit_percentage:
            return ["limit_percentage: means nothing beside limit_mib"]
        return []

    def limit(self) -> int:
        """Return the limit; bytes."""
        if self.limit_mib:
            return self.limit_mib * _MIB
        available = available_memory()
        if self.limit_percentage:
            return available.bytes * self.limit_percentage // 100
        return int(available.bytes * (_OF_A_CONTAINER if available.of_container else _OF_A_MACHINE))
