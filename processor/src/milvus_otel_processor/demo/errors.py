"""What can stop the demo, as messages for the person who started it."""

from __future__ import annotations


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


class MilvusUnavailableError(DemoError):
    """The wheel of Milvus is not installed, or has no build for this platform."""


class MilvusStartError(DemoError):
    """Milvus ended or did not become healthy in time; the message holds the end of its log."""
