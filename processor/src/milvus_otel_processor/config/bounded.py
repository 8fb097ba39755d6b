"""A scanner of YAML that ends where a text is nested too deeply or is too much: to scan on would take seconds of CPU time."""

from __future__ import annotations

from typing import Any

from ruamel.yaml.scanner import Scanner, ScannerError

MOST_LEVELS = 100
"""Lists and mappings within each other. The scanner's time grows with the square of them, and what reads the nodes is recursive."""


class BoundedScanner(Scanner):
    """Raises ScannerError behind so many levels, or so many tokens."""

    def __init__(self, loader: Any = None, *, most_tokens: int) -> None:
        self._most_tokens = most_tokens
        super().__init__(loader=loader)

    def fetch_more_tokens(self) -> Any:
        """Read on, unless that is more than may be."""
        if self.tokens_taken > self._most_tokens:
            self._refuse(f"it is too long: a list of {self._most_tokens // 2:,} values is the most that is read here")
        return super().fetch_more_tokens()

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:  # noqa: N803 - ruamel's own name
        """Go one level down, between brackets."""
        self._check_levels()
        super().fetch_flow_collection_start(TokenClass, to_push)

    def add_indent(self, column: int) -> bool:
        """Go one level down, by indentation."""
        self._check_levels()
        return bool(super().add_indent(column))

    def _check_levels(self) -> None:
        if len(self.indents) + self.flow_level >= MOST_LEVELS:
            self._refuse(f"nested too deeply: more than {MOST_LEVELS} lists and mappings within each other")

    def _refuse(self, problem: str) -> None:
        raise ScannerError(None, None, problem, self.reader.get_mark())
