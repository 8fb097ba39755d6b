"""What the demo's applications work on, and how they tell how far they are; no library but Python's own."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

COLLECTIONS = {"products": 64, "articles": 16}
"""The collections and the dimensions of their vectors."""
MISSING_COLLECTION = "reviews"


class Progress(NamedTuple):
    """How far an application is."""

    doing: str
    operations: int
    failures: int


def tell(progress: Progress) -> None:
    """Print the progress as one line of JSON, for `application.py` to read."""
    sys.stdout.write(json.dumps(progress._asdict()) + "\n")
    sys.stdout.flush()
