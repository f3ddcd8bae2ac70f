"""Concurrent calls that share one run, through BentoML's adaptive dispatcher.

A ``@bentoml.api(batchable=True)`` method reaches the same dispatcher only after
BentoML has parsed, validated and routed the request, which costs more than the
encoder; so it is used directly.  It starts a batch whenever none is running, with
all that waits: at one client nothing waits for company, and under load the
batches grow by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, NoReturn, TypeVar

from bentoml._internal.marshal.dispatcher import CorkDispatcher, Optimizer

from serving import metrics
from serving.errors import RequestError, overloaded

Call = TypeVar("Call")
Answer = TypeVar("Answer")

# The dispatcher throws calls away that it expects to wait longer than this.  How long
# the queue may grow is decided at the door instead (``max_queue``), where it can be
# said politely, so this only has to be out of reach.
_NEVER_MS = 60_000


class Batcher(Generic[Call, Answer]):
    """Collects calls and answers them together.

    Args:
        name: the label of the batch-size histogram.
        answer: answers a batch, off the event loop.  Where it raises, each call of the
            batch is answered by itself, so that the error reaches only who caused it.
        executor: runs ``answer``; one batch at a time.
        max_batch_size: calls in one batch at most.
        max_queue: calls under way at most, waiting and running.
    """

    def __init__(
        self,
        name: str,
        answer: Callable[[Sequence[Call]], list[Answer]],
        executor: Executor,
        *,
        max_batch_size: int,
        max_queue: int,
    ) -> None:
        self._answer = answer
        self._executor = executor
        self._max_queue = max_queue
        self._under_way = 0
        self._batch_size = metrics.BATCH_SIZE.labels(method_name=name)
        dispatcher: CorkDispatcher[Call, Answer | Exception] = CorkDispatcher(
            max_latency_in_ms=_NEVER_MS,
            max_batch_size=max_batch_size,
            fallback=_dropped,
            get_batch_size=lambda _: 1,
        )
        dispatcher.optimizer = _Eager(dispatcher.max_latency)
        self._dispatch = dispatcher(self._run)
        self._dispatcher = dispatcher

    async def __call__(self, call: Call) -> Answer:
        """Wait for the answer to one call.

        Raises:
            RequestError: 429 where too many calls are under way.
        """
        if self._under_way >= self._max_queue:
            raise overloaded()
        self._under_way += 1
        try:
            return await self._dispatch(call)  # type: ignore[return-value]
        finally:
            self._under_way -= 1

    async def warm_up(self, call: Call) -> None:
        """Take the dispatcher through its training, so that no user waits for it.

        Its optimiser learns from eight single batches and then from one batch each
        of one, two and three, and holds calls back while it does.
        """
        for _ in range(9):
            await self._dispatch(call)
        for _ in range(3):
            await asyncio.gather(*(self._dispatch(call) for _ in range(8)))

    def close(self) -> None:
        """Stop the dispatcher."""
        self._dispatcher.shutdown()

    async def _run(self, calls: Sequence[Call]) -> list[Answer | Exception]:
        self._batch_size.observe(len(calls))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._answer_each, calls)

    def _answer_each(self, calls: Sequence[Call]) -> list[Answer | Exception]:
        try:
            return list(self._answer(calls))
        except Exception as error:
            if len(calls) == 1:
                return [error]
            return [answer for call in calls for answer in self._answer_each([call])]


class _Eager(Optimizer):
    """Never holds a call back in the hope of company.

    The dispatcher's own optimiser waits about as long as calls waited lately, so that after
    a busy spell a lone caller goes on waiting for neighbours who have left: 10 ms where the
    answer takes 1.5.  What arrives during a batch is company enough for the next.
    """

    def trigger_refresh(self) -> None:
        """Learn what a batch costs, and wait for none."""
        super().trigger_refresh()  # type: ignore[no-untyped-call]
        self.wait = 0


def _dropped() -> NoReturn:
    raise RequestError(503, "the service is stopping: try again", headers={"Retry-After": "1"})
