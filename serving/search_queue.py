"""The searches and texts that wait: whole batches of them, in one thread that encodes and searches.

A search that would hold others up goes its own way: one that waits for a server, and one with so
large a filter that it shares nothing.  Their texts are encoded with those of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import machine
from models.bundle import Bundle
from models.vector_index import use_threads
from serving.batcher import Batcher
from serving.cache import VectorCache
from serving.errors import overloaded
from serving.found import Found
from serving.metrics import Metrics
from serving.plan import Plan, Tokens, Vector
from serving.planner import Planner
from serving.search import Searcher
from serving.settings import Settings
from serving.ticket import Ticket
from serving.wire.fields import MAX_TEXTS

# About as many as CLIP's tokenizer puts into one.
_CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Encoded:
    """The vectors of some texts, float32 ``[n, dim]``, and how many tokens they have."""

    vectors: NDArray[np.float32]
    tokens: int


@dataclass(frozen=True, slots=True)
class _Sought:
    """What a search seeks, where the search itself is another call."""

    plan: Plan


_Part = list[Tokens]
_Call = Plan | _Sought | _Part
_Answer = Found | Plan | Vector


class SearchQueue:
    """Searches for plans and encodes texts.

    Args:
        bundle: what is searched.
        planner: tokenises texts, and has the threads that wait for a server.
        settings: how much at once.
        metrics: counts.
    """

    def __init__(
        self, bundle: Bundle, planner: Planner, settings: Settings, metrics: Metrics
    ) -> None:
        self._collection = bundle.collection
        self._text_encoder = bundle.text_encoder
        self._planner = planner
        # Texts are encoded by the batch thread only.
        self._searcher = Searcher(
            bundle, VectorCache(bundle.text_encoder.encode, settings.cache_size, metrics), metrics
        )
        self._thread = ThreadPoolExecutor(
            1, "batch", initializer=_begin_batches, initargs=(bundle.threads,)
        )
        self._batches: Batcher[_Call, _Answer] = Batcher(
            "search",
            self._answer_together,
            self._thread,
            metrics,
            max_batch_size=settings.max_batch_size,
            max_queue=settings.max_queue,
        )

    def close(self) -> None:
        """Refuse what waits, and let go of the thread."""
        self._batches.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait until the thread is done."""
        self._thread.shutdown()

    def refuse_if_full(self) -> None:
        """Refuse a search before anybody reads what it asks for.

        Raises:
            RequestError: 429, too many are under way.
        """
        if self._batches.full:
            raise overloaded()

    async def find(self, plan: Plan, ticket: Ticket) -> tuple[Plan, Found]:
        """What is found for a plan, which comes back with its texts encoded where that was apart.

        Raises:
            RequestError: the service is overloaded, or it is too late.
        """
        if self._collection.is_elsewhere:
            plan, found = await self._find_elsewhere(plan, ticket)
        elif plan.kept is not None and self._collection.goes_alone(plan.kept):
            plan, found = await self._find_alone(plan, ticket)
        else:
            found = await self._batches(plan, plan.cost, ticket)
        assert isinstance(found, Found)
        return plan, found

    async def encode(self, texts: Sequence[str], ticket: Ticket) -> Encoded:
        """The vectors of some texts, L2-normalised.  They give way to searches.

        Raises:
            RequestError: the service is overloaded, or it is too late.
        """
        vectors: list[_Answer] = [np.empty((0, self._collection.dim), dtype=np.float32)]
        count = 0
        # Before they are tokenised, which for many texts takes longer than to refuse them.
        cost = sum(2 + len(text) // _CHARACTERS_A_TOKEN for text in texts)
        with self._batches.room(cost):
            # No more at once, since nobody else is answered while texts are tokenised.
            for first in range(0, len(texts), MAX_TEXTS):
                tokens, more = self._planner.counted(texts[first : first + MAX_TEXTS])
                count += more
                parts = _cut(tokens, self._batches.part)
                vectors += await self._batches.in_parts(
                    [(part, sum(map(len, part))) for part in parts], ticket
                )
        return Encoded(np.concatenate(vectors), count)  # type: ignore[arg-type]

    async def warm_up(self, texts: list[str]) -> None:
        """Encode some texts once, all together."""
        await self._batches.in_parts([(self._planner.texts(texts), 1)])

    async def _find_elsewhere(self, plan: Plan, ticket: Ticket) -> tuple[Plan, _Answer]:
        """A search that waits for a server, and lets no batch wait with it."""
        encoded = await self._batches(_Sought(plan), plan.cost, ticket)
        assert isinstance(encoded, Plan)
        [found], _ = await self._planner.look_up(self._searcher.search, [encoded], [])
        return encoded, found

    async def _find_alone(self, plan: Plan, ticket: Ticket) -> tuple[Plan, _Answer]:
        """A search that shares nothing with others: its texts encoded, it gives way to them."""

        def search(encoded: _Answer) -> Plan:
            assert isinstance(encoded, Plan)
            return encoded

        encoded, found = await self._batches.in_two(_Sought(plan), plan.cost, search, ticket)
        return search(encoded), found

    def _answer_together(self, calls: Sequence[_Call]) -> list[_Answer]:
        plans = [call for call in calls if isinstance(call, Plan)]
        sought = [call.plan for call in calls if isinstance(call, _Sought)]
        parts = [call for call in calls if isinstance(call, list)]
        found, encoded = self._searcher.search(plans, sought)
        vectors = self._encode(parts) if parts else []
        answers: dict[type, Iterator[_Answer]] = {
            Plan: iter(found),
            _Sought: iter(encoded),
            list: iter(vectors),
        }
        return [next(answers[type(call)]) for call in calls]

    def _encode(self, parts: Sequence[_Part]) -> list[NDArray[np.float32]]:
        """The vectors of each part's texts, all of them in one run."""
        vectors = self._text_encoder.encode([text for part in parts for text in part])
        ends = np.cumsum([len(part) for part in parts])
        return list(np.split(vectors, ends[:-1]))


def _begin_batches(threads: int) -> None:
    """Get the thread of the batches ready."""
    use_threads(threads)
    # Or the event loop would get half of one processor, and refuse in seconds what it cannot take.
    machine.give_way()


def _cut(texts: list[Tokens], most: int) -> list[_Part]:
    """The texts in order, in parts of at most so many tokens, or of one text."""
    parts: list[_Part] = [[]]
    room = most
    for text in texts:
        if parts[-1] and len(text) > room:
            parts.append([])
            room = most
        parts[-1].append(text)
        room -= len(text)
    return parts
