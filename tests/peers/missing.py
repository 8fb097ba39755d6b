"""What happens to a test whose real part cannot be had on this machine."""

import os
import shutil
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip the calling test with `reason`; with CI=true fail it, since CI's machine must have every part."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (CI=true: a missing part is a failure)", pytrace=False)
    pytest.skip(reason)


def require_command(command: str, purpose: str) -> str:
    """The path of `command`; where it is not installed, the test that needs it for `purpose` cannot run."""
    path = shutil.which(command)
    if path is None:
        missing(f"{purpose} needs the command {command!r}, which is not on PATH")
    return path
