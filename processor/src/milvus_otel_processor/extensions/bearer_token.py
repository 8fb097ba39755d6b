"""The `bearertokenauth` extension: a token that senders have to show, or that the exporter shows."""

from __future__ import annotations

import hmac
import logging
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Self

from pydantic import Field, SecretStr, model_validator

from milvus_otel_processor.settings import Settings
from milvus_otel_processor.telemetry.paced import PacedLog

if TYPE_CHECKING:
    from collections.abc import Callable

    Headers = tuple[tuple[str, str | bytes], ...]

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 1.0
_LARGEST = 64 * 1024


class BearerTokenSettings(Settings):
    """A bearer token (the Collector's `bearertokenauth`)."""

    header: str = Field(default="Authorization", min_length=1, description="The header that it is in.")
    scheme: str = Field(default="Bearer", description="What stands before it.")
    token: SecretStr = Field(default=SecretStr(""), description="The token.")
    filename: str | None = Field(
        default=None, description="A file with the token, or with one on each line, read again when it changes."
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.token.get_secret_value()) == (self.filename is not None):
            raise ValueError("expected token or filename, one of the two")
        return self


class BearerToken:
    """The token as it is now. Raises OSError where its file cannot be read at first; later the tokens before stay."""

    def __init__(self, settings: BearerTokenSettings, clock: Callable[[], float] = monotonic) -> None:
        self._settings = settings
        self._header = settings.header.lower()
        self._clock = clock
        self._lock = Lock()
        self._paced = PacedLog(_log, clock)
        self._values = self._read()
        self._next_look = clock() + _SECONDS_BETWEEN_LOOKS

    def is_shown(self, metadata: Headers) -> bool:
        """Tell whether these headers have the token; takes the same time whatever they have."""
        found = False
        expected = self._current()
        for name, value in metadata:
            if name == self._header:
                shown = value if isinstance(value, bytes) else value.encode()
                for one in expected:
                    found |= hmac.compare_digest(shown, one)
        return found

    def header(self) -> tuple[str, str]:
        """Return the header that shows it."""
        return self._header, self._current()[0].decode()

    def renew(self) -> bool:
        """Read the file again; tell whether the tokens have changed."""
        with self._lock:
            self._next_look = self._clock() + _SECONDS_BETWEEN_LOOKS
            try:
                values = self._read()
            except (OSError, ValueError) as error:
                message = "the token cannot be read again, the one before stays: %s: %s"
                self._paced.tell(logging.ERROR, message, self._settings.filename, _reason(error))
                return False
            changed, self._values = values != self._values, values
        return changed

    def _current(self) -> list[bytes]:
        if self._settings.filename is not None and self._clock() >= self._next_look:
            self.renew()
        return self._values

    def _read(self) -> list[bytes]:
        if self._settings.filename is None:
            tokens = [self._settings.token.get_secret_value()]
        else:
            with Path(self._settings.filename).open("rb") as file:
                tokens = file.read(_LARGEST).decode("utf-8", "replace").split("\n")
        prefix = f"{self._settings.scheme} " if self._settings.scheme else ""
        values = [f"{prefix}{token.strip()}".encode() for token in tokens if token.strip()]
        if not values:
            raise ValueError("there is no token in it")
        return values


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
