"""What waits for a run, and which of it goes into the next batch."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from serving.errors import nobody_waits, too_late
from serving.ticket import Ticket

if TYPE_CHECKING:
    # serving/metrics.py has something to set before it is imported.
    from prometheus_client import Counter

Call = TypeVar("Call")
Answer = TypeVar("Answer")

# The share of the largest batch that the others may have; of this a part is a quarter, so that a
# few urgent calls run beside little.
_LEFT_TO_OTHERS = 1 / 4
_PARTS = 4
# Nor more than so many seconds take, as far as is known, since an urgent call may have to wait for
# all of it: what a quarter of a batch takes depends on the machine and the model.
_OTHERS_SECONDS = 0.05
# How much the last batch counts in what is known.
_LAST = 0.2
# Tokens of an ordinary query.
ORDINARY_COST = 16


@dataclass(eq=False, slots=True)
class Waiting(Generic[Call, Answer]):
    """A call, what it costs, and where its answer is awaited."""

    call: Call
    cost: int
    ticket: Ticket
    future: asyncio.Future[Answer]


class Queues(Generic[Call, Answer]):
    """The calls that wait, urgent ones and others.

    Args:
        max_batch_size: calls in one batch at most; of ordinary cost, since a batch costs no
            more than as many of those.
        dropped: counts those that were not run.
    """

    def __init__(self, max_batch_size: int, dropped: Counter) -> None:
        self._max_batch_size = max_batch_size
        self._max_cost = max_batch_size * ORDINARY_COST
        self._dropped = dropped
        self.urgent: deque[Waiting[Call, Answer]] = deque()
        self.others: deque[Waiting[Call, Answer]] = deque()
        # Seconds that a batch with such calls takes for what it costs; 0 until it is known.
        self._pace = 0.0

    def __len__(self) -> int:
        """How many wait."""
        return len(self.urgent) + len(self.others)

    @property
    def part(self) -> int:
        """The most that a call which is not urgent should cost, to fit beside urgent ones."""
        return max(1, int(self._max_cost * _LEFT_TO_OTHERS / _PARTS))

    def learn(self, pace: float) -> None:
        """Remember how many seconds a batch with calls that are not urgent took for its cost."""
        self._pace += (pace - self._pace) * (_LAST if self._pace else 1)

    def take(self, now: float) -> tuple[list[Waiting[Call, Answer]], int]:
        """The next batch: urgent calls, whose number it gives, and what is left for the others."""
        batch: list[Waiting[Call, Answer]] = []
        most = int(self._max_cost * _LEFT_TO_OTHERS)
        if self._pace:
            most = max(self.part, min(most, int(_OTHERS_SECONDS / self._pace)))
        room = self._max_cost - (most if self.others else 0)
        spent = room - self._fill(batch, self.urgent, room, now)
        urgent = len(batch)
        # Beside few urgent calls little, or these would wait for more than for themselves.
        share = max(self.part, int(spent * _LEFT_TO_OTHERS)) if spent else most
        self._fill(batch, self.others, min(share, most), now)
        return batch, urgent

    def _fill(
        self,
        batch: list[Waiting[Call, Answer]],
        queue: deque[Waiting[Call, Answer]],
        room: int,
        now: float,
    ) -> int:
        """Move calls from a queue into a batch, one at the least; gives the room that is left."""
        taken = 0
        while queue and taken < self._max_batch_size and not (taken and queue[0].cost > room):
            one = queue.popleft()
            if not self._is_dropped(one, now):
                batch.append(one)
                room -= one.cost
                taken += 1
        return room

    def _is_dropped(self, one: Waiting[Call, Answer], now: float) -> bool:
        if not one.future.done():
            if now > one.ticket.deadline:
                one.future.set_exception(too_late())
            elif one.ticket.left():
                one.future.set_exception(nobody_waits())
        if one.future.done():
            self._dropped.inc()
            return True
        return False
