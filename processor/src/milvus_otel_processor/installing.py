"""How what a user may lack is installed: the one place for these words, as the packages are in no package index yet."""

from __future__ import annotations

from typing import Final, Literal

Part = Literal["demo", "metrics", "native"]
"""An extra of the processor; `native` is the span store in Rust."""

CATALOGUE: Final = "`pip install 'pymilvus>=2.5'`"
"""What the catalogue lacks is a package of others, which a package index has."""

_NAMES: dict[str, str] = {
    "client": "milvus-otel-client",
    "processor": "milvus-otel-processor",
    "processor/core": "milvus-otel-core",
}
"""The packages by their folders in the repository."""
_FOLDERS: dict[Part, tuple[tuple[str, str], ...]] = {
    "demo": (("client", ""), ("processor", "[demo]")),  # pip looks for the client in an index, unless it stands here
    "metrics": (("processor", "[metrics]"),),
    "native": (("processor/core", ""),),
}


def how_to_install(part: Part, *, anew: bool = False) -> str:
    """Return the two commands that install a part, from a checkout and from the repository's address.

    `anew` is for what is installed already, and is no good. The README's *Install* has the same lines.
    """
    pip = "pip install --force-reinstall --no-deps" if anew else "pip install"
    local = " ".join(f"'./{folder}{extra}'" if extra else f"./{folder}" for folder, extra in _FOLDERS[part])
    remote = " ".join(
        f"'{_NAMES[folder]}{extra} @ git+ADDRESS#subdirectory={folder}'" for folder, extra in _FOLDERS[part]
    )
    return f"`{pip} {local}` in a checkout of milvus-otel, or `{pip} {remote}` with the repository's address"
