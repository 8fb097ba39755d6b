"""Where `mode: shadow` can stand: on policies that have others beside them, and not inside of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milvus_otel_processor.sampling.policies.base import policies_inside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvus_otel_processor.sampling.policies import PolicySettings

SHADOW = "shadow"


def check_shadows(policies: Sequence[PolicySettings]) -> None:
    """Raise ValueError where `mode: shadow` means nothing, or leaves no policy that could keep a trace."""
    for policy in policies:
        for inner in policies_inside(policy):
            if inner.mode == SHADOW:
                raise ValueError(
                    f"policy {policy.name!r} has mode: shadow on {inner.name!r} inside of it, "
                    f"expected it on {policy.name!r} itself"
                )
    if all(policy.mode == SHADOW for policy in policies):
        raise ValueError("every policy has mode: shadow, so that no trace would be kept; expected one without it")
