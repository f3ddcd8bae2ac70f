"""What one service has in use: the engine that answers, and whether it is leaving.

Another bundle takes the place of the one in use between two requests.  A request holds on to the
engine that it began with, so that no answer mixes two; the old engine is closed when the last
of them is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from serving.errors import starting
from serving.metrics import Metrics

if TYPE_CHECKING:
    from serving.engine import Engine
    from serving.speech import Transcriber


class State:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        # Once the service was told to stop, while it still answers.
        self.leaving = False
        # Where the service hears speech, once it is ready.
        self.transcriber: Transcriber | None = None
        self._engine: Engine | None = None
        self._holders: dict[Engine, int] = {}
        self._damaged: set[Engine] = set()

    @property
    def ready(self) -> bool:
        """Whether there is an engine, and nothing of its bundle was found to be damaged."""
        return self._engine is not None and self._engine not in self._damaged

    def distrust(self, engine: Engine) -> None:
        """Be ready no more as long as this engine is in use; from any thread."""
        self._damaged.add(engine)

    @property
    def version(self) -> str | None:
        """Which bundle answers now."""
        return self._engine.version if self._engine else None

    def use(self, engine: Engine) -> None:
        """Answer with this engine from the next request on."""
        old, self._engine = self._engine, engine
        self._holders.setdefault(engine, 0)
        if old is not None:
            self._close_unless_held(old)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """The engine in use, which stays open until the block is left.

        Raises:
            RequestError: 503, there is none yet.
        """
        engine = self._engine
        if engine is None:
            raise starting()
        self._holders[engine] += 1
        try:
            yield engine
        finally:
            # Unless all was closed in the meantime.
            if engine in self._holders:
                self._holders[engine] -= 1
                if engine is not self._engine:
                    self._close_unless_held(engine)

    def close(self) -> None:
        """Let go of everything."""
        for engine in self._holders:
            engine.close()
        self._holders.clear()
        self._engine = None
        if self.transcriber is not None:
            self.transcriber.close()

    def _close_unless_held(self, engine: Engine) -> None:
        if self._holders.get(engine) == 0:
            del self._holders[engine]
            self._damaged.discard(engine)
            engine.close()
