"""What waits, and what of it is no longer run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serving.metrics import Metrics
from serving.queues import ORDINARY_COST, Queues, Waiting
from serving.ticket import Ticket


def queues(max_batch_size: int = 16) -> Queues[int, int]:
    return Queues(max_batch_size, Metrics().dropped.labels(method_name="test"))


@pytest.mark.parametrize("queue", ["urgent", "others"])
@pytest.mark.parametrize(("now", "taken"), [(5.0, 1), (5.1, 0)])
def test_a_deadline_is_met_to_the_moment(now: float, taken: int, queue: str) -> None:
    async def run() -> list[Any]:
        waiting = queues()
        one = Waiting(2, 1, Ticket(deadline=5.0), asyncio.get_running_loop().create_future())
        getattr(waiting, queue).append(one)
        assert len(waiting) == 1
        batch, urgent = waiting.take(now)
        assert urgent == (taken if queue == "urgent" else 0)
        assert not waiting
        assert one.future.done() == (not taken)
        if one.future.done():
            one.future.exception()
        return batch

    assert len(asyncio.run(run())) == taken


def test_a_part_is_a_sixteenth_of_a_batch_and_something_at_least() -> None:
    assert queues(max_batch_size=16).part == ORDINARY_COST == 16
    assert queues(max_batch_size=1).part == 1
