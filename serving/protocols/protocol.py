"""What there is to say of a protocol: its routes, and how it puts an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict
from starlette.routing import Route

from serving.error_answers import InWords
from serving.exchange import Endpoint, Handler
from serving.operations import Operation


@dataclass(frozen=True)
class Protocol:
    """The routes of one protocol.

    ``images`` are the paths whose bodies may carry images; ``in_words`` says what went
    wrong, None for as everywhere else.
    """

    handlers: Mapping[Operation, Handler]
    images: frozenset[str] = frozenset()
    in_words: InWords | None = None

    @property
    def operations(self) -> list[Operation]:
        """Its routes, as they are documented."""
        return list(self.handlers)

    @property
    def routes(self) -> list[Route]:
        """Its routes, as they are answered."""
        return [
            Route(operation.path, Endpoint(handler), methods=[operation.method.upper()])
            for operation, handler in self.handlers.items()
        ]

    @property
    def probes(self) -> frozenset[str]:
        """The paths that ask for no key."""
        return frozenset(operation.path for operation in self.handlers if not operation.key)


class Question(BaseModel):
    """What is asked in a protocol that may know of more than is answered here."""

    model_config = ConfigDict(extra="ignore", frozen=True)
