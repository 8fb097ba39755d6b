"""Certificates as a user makes them to try TLS out."""

import subprocess
from pathlib import Path

from tests.peers.missing import require_command
from tests.stack.engine import ROOT


def make_certificates(folder: Path) -> Path:
    """Run the stack's own script for `folder`, and return it."""
    require_command("openssl", "making certificates")
    subprocess.run([ROOT / "compose" / "tls" / "make-certificates", folder], check=True, capture_output=True)
    return folder
