"""A small Debian root with the newest Python: a machine to test on, and the base of the stack's Python stand-in."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.peers.cache import built, fingerprint
from tests.peers.missing import missing, require_command

SUITE = "forky"
PYTHON = "python3.14"
PACKAGES = f"{PYTHON},{PYTHON}-venv,ca-certificates"
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
"""This machine's, given to the root as well: behind a proxy of its own a machine has more than Debian's."""

SLIMMED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt/archives", "var/lib/apt/lists")
"""What Debian's slim images leave out too."""

MOUNT_POINTS = ("src", "cache")
MOUNTED_FILES = ("etc/hosts", "etc/resolv.conf")
"""Where `.ci/run` mounts the tree, the built parts and this machine's files. The root itself is read-only then: what tests
left in it would be in every image that is made of it."""


@cache
def debian_root() -> Path:
    """A folder that holds Debian `SUITE` with `PYTHON`, laid out as in the official Python images: `python` and `pip`
    are in /usr/local/bin."""
    debootstrap = require_command("debootstrap", "a Debian root")
    if os.geteuid() != 0:
        missing("making a Debian root needs root's rights")

    def build(folder: Path) -> None:
        root = folder / "root"
        # The script of `sid` serves every suite of today; debootstrap may be older than the suite's own name.
        command = [debootstrap, "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root), _mirror(), "sid"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise RuntimeError(f"{' '.join(command)} exited with {result.returncode}:\n{result.stdout[-4000:]}")
        if CA_BUNDLE.exists():
            shutil.copy(CA_BUNDLE, root / CA_BUNDLE.relative_to("/"))
        subprocess.run(["chroot", root, PYTHON, "-m", "venv", "/usr/local"], check=True)
        for folder_of_no_use in SLIMMED:
            shutil.rmtree(root / folder_of_no_use)
        for mount_point in MOUNT_POINTS:
            (root / mount_point).mkdir()
        for file in MOUNTED_FILES:
            (root / file).parent.mkdir(exist_ok=True)
            (root / file).write_bytes(b"")

    return (
        built(f"debian-{SUITE}", fingerprint(PACKAGES, *SLIMMED, *MOUNT_POINTS, *MOUNTED_FILES), "2 minutes", build)
        / "root"
    )


def _mirror() -> str:
    """The package mirror that this machine itself uses."""
    sources = [*Path("/etc/apt").glob("sources.list.d/debian.sources"), *Path("/etc/apt").glob("sources.list")]
    words = [word for source in sources for word in source.read_text(encoding="utf-8").split()]
    mirrors = [word for word in words if word.startswith("http") and word.rstrip("/").endswith("/debian")]
    if not mirrors:
        missing("no Debian mirror in /etc/apt, from which a Debian root could be made")
    return mirrors[0]


if __name__ == "__main__":
    print(debian_root())
