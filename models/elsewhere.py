"""What goes wrong with a collection that lies elsewhere."""

from __future__ import annotations


class UnavailableError(Exception):
    """The collection does not answer now; it may in a second."""


class UnsupportedError(Exception):
    """The collection cannot do what was asked.

    Args:
        field: of the request, that asks for it.
        why: what it cannot do, and what can be done instead.
    """

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
