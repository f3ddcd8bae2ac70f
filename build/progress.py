"""How far a long build is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 30.0

_T = TypeVar("_T")


class Progress:
    """Counts images up to ``total`` and shows rate and time left on stderr.

    Args:
        what: what is being done.
        total: how many there are.
        done: how many of them were done before.
        unit: what is counted, where it is something else.
    """

    def __init__(self, what: str, total: int, done: int, unit: str = "images") -> None:
        self._what = what
        self._unit = f" {unit}"
        self._done = self._initial = done
        self._total = total
        self._started = self._shown = time.monotonic()
        terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=total, initial=done, desc=what, unit=self._unit, disable=not terminal
        )
        self._lines = not terminal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()

    def advance(self, count: int = 1) -> None:
        """So many more are done."""
        self._done += count
        self._bar.update(count)
        now = time.monotonic()
        if self._lines and now - self._shown >= _SECONDS_BETWEEN_LINES:
            self._shown = now
            line = tqdm.format_meter(
                self._done,
                self._total,
                now - self._started,
                initial=self._initial,
                prefix=self._what,
                unit=self._unit,
                ncols=0,
            )
            print(line, file=sys.stderr, flush=True)


def counted(what: str, total: int, things: Iterable[_T]) -> Iterator[_T]:
    """The same things, one for each image, with the progress of whoever asks for them."""
    with Progress(what, total, 0) as progress:
        for thing in things:
            yield thing
            progress.advance()
