"""Certificates, keys and token files: read again when they change, and when they end."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from milvus_otel_processor.certificates import CertificateError, expiry, pem
from milvus_otel_processor.telemetry.paced import PacedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_log = logging.getLogger(__name__)


class Followed(NamedTuple):
    """Files that belong together."""

    setting: str
    """Where the configuration names them."""
    renew: Callable[[], bool]
    """Reads them again, and tells whether they have changed; it logs what is wrong with them, and what was there stays."""


class Credentials:
    """Has files read again, and tells when certificates end.

    `certificates` are files by what they are for. Calls are serialized by the caller, but for `expiries`.
    """

    def __init__(
        self, followed: Sequence[Followed], certificates: Mapping[str, str], clock: Callable[[], float]
    ) -> None:
        self._followed = followed
        self._certificates = certificates
        self._paced = PacedLog(_log, clock)
        self.expiries: dict[str, float] = {}
        """When the certificates end that are in the files now, by what they are for; seconds since 1970."""
        self._look()

    def renew(self) -> list[str]:
        """Have all files read again; return the settings that name those which have changed."""
        changed = [one.setting for one in self._followed if one.renew()]
        self._look()
        return changed

    def _look(self) -> None:
        found = {}
        for role, file in self._certificates.items():
            try:
                end = expiry(pem(Path(file)))
            except CertificateError as error:
                self._paced.tell(logging.ERROR, "when a certificate ends cannot be read: %s", error)
                end = self.expiries.get(role)
            if end is not None:
                found[role] = end
        self.expiries = found


def roles(role: str, files: Mapping[str, str]) -> dict[str, str]:
    """Return the files of TLS settings by what they are for: a `cert_file` is for the role itself, a `ca_file` for `<role>_ca`."""
    return {
        role if setting == "cert_file" else f"{role}_{setting.removesuffix('_file')}": file
        for setting, file in files.items()
    }
