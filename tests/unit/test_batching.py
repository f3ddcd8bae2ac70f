"""Calls that share a run, and what each may and may not do to the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving.batching import Batcher
from serving.errors import RequestError


class Work:
    """Doubles numbers; odd ones fail; waits at a gate, so that others can gather."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def answer(self, calls: Sequence[int]) -> list[int]:
        self.gate.wait(10)
        self.batches.append(len(calls))
        for call in calls:
            if call % 2:
                raise ValueError(str(call))
        return [2 * call for call in calls]


def batcher(work: Work, max_queue: int = 1000) -> Batcher[int, int]:
    executor = ThreadPoolExecutor(1)
    return Batcher("test", work.answer, executor, max_batch_size=16, max_queue=max_queue)


def test_one_that_fails_harms_no_other() -> None:
    async def run() -> list[int | BaseException]:
        calls = batcher(Work())
        await calls.warm_up(0)
        return await asyncio.gather(*(calls(n) for n in range(40)), return_exceptions=True)

    for number, answer in enumerate(asyncio.run(run())):
        if number % 2:
            assert isinstance(answer, ValueError)
            assert str(answer) == str(number)
        else:
            assert answer == 2 * number


def test_what_arrives_during_a_run_shares_the_next() -> None:
    work = Work()

    async def run() -> None:
        calls = batcher(work)
        await calls.warm_up(0)
        work.batches.clear()
        work.gate.clear()
        first = asyncio.create_task(calls(2))
        await asyncio.sleep(0.05)
        rest = [asyncio.create_task(calls(4)) for _ in range(20)]
        await asyncio.sleep(0.05)
        work.gate.set()
        await asyncio.gather(first, *rest)

    asyncio.run(run())
    assert work.batches == [1, 16, 4]


def test_too_many_are_refused_and_the_others_answered() -> None:
    work = Work()

    async def run() -> list[int | BaseException]:
        calls = batcher(work, max_queue=5)
        await calls.warm_up(0)
        work.gate.clear()
        tasks = [asyncio.create_task(calls(2)) for _ in range(8)]
        await asyncio.sleep(0.05)
        work.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(run())
    refused = [answer for answer in answers if isinstance(answer, RequestError)]
    assert [error.status for error in refused] == [429] * 3
    assert answers.count(4) == 5


def test_a_lone_caller_is_not_held_back_after_a_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> float:
        calls = batcher(Work())
        await calls.warm_up(0)
        for _ in range(20):
            await asyncio.gather(*(calls(2) for _ in range(64)))
        optimiser = calls._dispatcher.optimizer
        optimiser.trigger_refresh()
        return float(optimiser.wait)

    assert asyncio.run(run()) == 0
