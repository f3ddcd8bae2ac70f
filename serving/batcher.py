"""Concurrent calls that share one run.

BentoML has adaptive batching of its own (``@bentoml.api(batchable=True)``); this one is here
since a search needs what that does not give, and asks for nothing but asyncio:

- It starts as soon as nothing runs, with all that waits.  It never waits for company: what
  arrives during a run is company enough for the next.
- A batch is measured by what it costs, in tokens, not by how many calls it holds.
- Calls are *urgent* or not.  Those that are not (the parts of a long ``/encode``) get a quarter of
  each batch, and no batch of theirs is longer than that, nor takes more than 50 ms, as far as is
  known, so that neither waits for the other.
- A caller who has left, or whose time is up, is dropped before the run.
- A call that fails harms no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Generic, TypeVar

from serving.errors import overloaded, stopping
from serving.metrics import Metrics
from serving.queues import ORDINARY_COST, Queues, Waiting
from serving.ticket import WHENEVER, Ticket

logger = logging.getLogger("sightline")

Call = TypeVar("Call")
Answer = TypeVar("Answer")

# Tokens of a long query.  ``max_queue`` of these is what all that is not urgent may cost together.
LONG_COST = 4 * ORDINARY_COST


class Batcher(Generic[Call, Answer]):
    """Collects calls and answers them together.  For use on one event loop.

    Args:
        name: the label of its metrics.
        answer: answers a batch, off the event loop.  An answer that is an exception reaches
            only its call.  Where it raises, each call of the batch is answered by itself, so
            that the error reaches only who caused it.
        executor: runs ``answer``; one batch at a time.
        metrics: counts batches, what waits and what is dropped.
        max_batch_size: calls in one batch at most; of ordinary cost, since a batch costs no
            more than as many of those.
        max_queue: urgent calls under way at most, waiting and running.
    """

    def __init__(
        self,
        name: str,
        answer: Callable[[Sequence[Call]], Sequence[Answer | Exception]],
        executor: Executor,
        metrics: Metrics,
        *,
        max_batch_size: int,
        max_queue: int,
    ) -> None:
        self._answer = answer
        self._executor = executor
        self._max_queue = max_queue
        self._under_way = 0
        self._queues: Queues[Call, Answer] = Queues(
            max_batch_size, metrics.dropped.labels(method_name=name)
        )
        # What those that are not urgent cost together, waiting and running, and may cost.
        self._cost_of_others = 0
        self._max_cost_of_others = max_queue * LONG_COST
        self._running = False
        self._planned = False
        self._closed = False
        self._batch_size = metrics.batch_size.labels(method_name=name)
        self._queue_length = metrics.queue.labels(method_name=name)

    @property
    def part(self) -> int:
        """The most that a call which is not urgent should cost, to fit beside urgent ones."""
        return self._queues.part

    @property
    def full(self) -> bool:
        """Whether an urgent call would be refused."""
        return self._under_way >= self._max_queue

    @property
    def idle(self) -> bool:
        """Whether no call is under way."""
        return not self._running and not self._queues

    async def __call__(self, call: Call, cost: int = 1, ticket: Ticket = WHENEVER) -> Answer:
        """Wait for the answer to one urgent call.

        Raises:
            RequestError: 429 where too many calls are under way, 504 where the deadline
                passed before its turn came.
        """
        with self._place():
            return await self._put(self._queues.urgent, call, cost, ticket)

    async def in_two(
        self, call: Call, cost: int, follow: Callable[[Answer], Call], ticket: Ticket = WHENEVER
    ) -> tuple[Answer, Answer]:
        """Wait for the answers to an urgent call, and to one that follows from it and gives way.

        Args:
            call: the first.
            cost: of the first; the second costs a part.
            follow: makes the second of the first one's answer.
            ticket: of both.

        Raises:
            RequestError: 429 where too many calls are under way, 504 where the deadline
                passed before the turn of one of them came.
        """
        with self._place():
            first = await self._put(self._queues.urgent, call, cost, ticket)
            [second] = await self.in_parts([(follow(first), self.part)], ticket)
        return first, second

    @contextmanager
    def room(self, cost: int) -> Iterator[None]:
        """Let in who has calls that are not urgent, and that cost about so much together.

        Raises:
            RequestError: 429, by the costs of all that is let in; who finds nobody there is let
                in whatever it costs.
        """
        if self._cost_of_others and self._cost_of_others + cost > self._max_cost_of_others:
            raise overloaded()
        self._cost_of_others += cost
        try:
            yield
        finally:
            self._cost_of_others -= cost

    async def in_parts(
        self, calls: Sequence[tuple[Call, int]], ticket: Ticket = WHENEVER
    ) -> list[Answer]:
        """Wait for the answers to calls with their costs, of which none is urgent.

        Raises:
            RequestError: 504 where the deadline passed before the turn of one of them came.
        """
        futures: list[asyncio.Future[Answer]] = []
        try:
            for call, share in calls:
                futures.append(self._put(self._queues.others, call, share, ticket))
            return list(await asyncio.gather(*futures))
        finally:
            # Those that still wait where one of them failed.
            for future in futures:
                future.cancel()

    def close(self) -> None:
        """Refuse all calls from now on, and those that wait."""
        self._closed = True
        for queue in (self._queues.urgent, self._queues.others):
            while queue:
                one = queue.popleft()
                if not one.future.done():
                    one.future.set_exception(stopping())

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self.full:
            raise overloaded()
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def _put(
        self, queue: deque[Waiting[Call, Answer]], call: Call, cost: int, ticket: Ticket
    ) -> asyncio.Future[Answer]:
        if self._closed:
            raise stopping()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        queue.append(Waiting(call, cost, ticket, future))
        if not self._running and not self._planned:
            # In a moment: what arrived at the same time as this is on its way here.
            self._planned = True
            loop.call_soon(self._start, loop)
        return future

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run what waits, unless a run is under way."""
        self._planned = False
        if self._running or self._closed:
            return
        self._queue_length.set(len(self._queues))
        batch, urgent = self._queues.take(loop.time())
        if not batch:
            return
        self._running = True
        cost_if_others = sum(one.cost for one in batch) if urgent < len(batch) else 0
        self._batch_size.observe(len(batch))
        began = loop.time()
        run = self._executor.submit(self._answer_each, [one.call for one in batch])

        def end(run: Future[list[Answer | Exception]]) -> None:
            pace = (loop.time() - began) / cost_if_others if cost_if_others else None
            loop.call_soon_threadsafe(self._end, loop, batch, run, pace)

        run.add_done_callback(end)

    def _end(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[Waiting[Call, Answer]],
        run: Future[list[Answer | Exception]],
        pace: float | None,
    ) -> None:
        self._running = False
        if pace is not None:
            self._queues.learn(pace)
        # First, so that the executor does not wait for the answers to be written.
        self._start(loop)
        if run.cancelled():
            answers: list[Answer | Exception] = [stopping()] * len(batch)
        else:
            answers = run.result()
        for one, answer in zip(batch, answers, strict=True):
            if one.future.done():
                continue
            if isinstance(answer, Exception):
                one.future.set_exception(answer)
            else:
                one.future.set_result(answer)

    def _answer_each(self, calls: Sequence[Call]) -> list[Answer | Exception]:
        try:
            return list(self._answer(calls))
        except Exception as error:
            if len(calls) == 1:
                return [error]
            logger.exception("a batch of %d failed: each of it is answered by itself", len(calls))
            return [answer for call in calls for answer in self._answer_each([call])]
