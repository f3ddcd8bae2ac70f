"""What a request asks, made ready for a batch: texts as tokens, likes and filters as numbers.

Texts are tokenised on the event loop, which takes some ten microseconds.  What has to be looked
up in the bundle's files is looked up in threads, so that no search waits for another's filter.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.database import SlowQueryError
from models.facts import Matches
from serving.errors import RequestError, overloaded
from serving.wire import MAX_K, MAX_OFFSET, SearchRequest

Vector = NDArray[np.float32]
Positions = NDArray[np.int64]
Tokens = list[int]

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 4
_MOST_UNDER_WAY = 256


@dataclass(frozen=True, slots=True)
class Plan:
    """One search: texts still to be encoded, a vector that is known, and where to look.

    ``k`` pictures are asked for, behind ``offset`` better ones; where it is None, the best, and
    no count of the relevant ones.  ``filtered``, ``tokenized`` and ``encoded`` are the seconds that
    it took to find ``positions``, the tokens and, of texts that were encoded beforehand, the
    vector; ``warnings`` tell of conditions that no picture can meet.
    """

    k: int
    wanted: Tokens | None = None
    unwanted: Tokens | None = None
    vector: Vector | None = None
    positions: Positions | None = None
    offset: int | None = None
    min_similarity: float | None = None
    with_vectors: bool = False
    warnings: tuple[str, ...] = ()
    filtered: float = 0.0
    tokenized: float = 0.0
    encoded: float = 0.0

    @property
    def depth(self) -> int:
        """How many of the best to look at: as many on every page, so that all count alike."""
        return self.k if self.offset is None else MAX_OFFSET + MAX_K

    @property
    def cost(self) -> int:
        """The tokens to encode."""
        return max(1, len(self.wanted or ()) + len(self.unwanted or ()))


class Planner:
    """Reads requests with a bundle's eyes.

    Args:
        bundle: what is searched.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._threads = ThreadPoolExecutor(_THREADS, "look-up")
        self._under_way = 0

    async def search(self, request: SearchRequest) -> Plan:
        """What a search asks.

        Raises:
            RequestError: no such picture, a filter that makes no sense, or overload.
        """
        vector = matches = None
        started = time.perf_counter()
        if request.like is not None or request.filter is not None:
            vector, matches = await self.look_up(self._known, request)
        filtered = time.perf_counter()
        texts = [text for text in (request.query, request.negative) if text is not None]
        tokens = self._bundle.tokenizer.encode(texts)
        return Plan(
            k=request.k,
            wanted=tokens[0] if request.query is not None else None,
            unwanted=tokens[-1] if request.negative is not None else None,
            vector=vector,
            positions=None if matches is None else matches.positions,
            warnings=() if matches is None else tuple(matches.warnings),
            offset=request.offset,
            min_similarity=request.min_similarity,
            with_vectors=request.include_embeddings,
            filtered=filtered - started,
            tokenized=time.perf_counter() - filtered,
        )

    def texts(self, texts: list[str]) -> list[Tokens]:
        """The tokens of some texts."""
        return self._bundle.tokenizer.encode(texts)

    async def look_up(self, what: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what reads the bundle's files in a thread.

        Raises:
            RequestError: 429 where too many do already.
        """
        if self._under_way >= _MOST_UNDER_WAY:
            raise overloaded()
        self._under_way += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, lambda: what(*args, **kwargs))
        finally:
            self._under_way -= 1

    def close(self, *, wait: bool = False) -> None:
        """Let go of the threads; what waits for one is dropped.

        Args:
            wait: until what they are at is done.
        """
        self._threads.shutdown(wait=wait, cancel_futures=True)

    def _known(self, request: SearchRequest) -> tuple[Vector | None, Matches | None]:
        """The vector of the picture that is asked for, and what a filter leaves."""
        vector = None
        if request.like is not None:
            position = self._bundle.items.position_of(request.like)
            if position is None:
                raise RequestError(404, f"like: no picture has the id {request.like!r}", "like")
            vector = self._bundle.index.reconstruct(position)
        matches = None
        if request.filter is not None:
            try:
                matches = self._bundle.items.matching(request.filter)
            except ValueError as error:
                raise RequestError(400, f"filter: {error}", "filter") from None
            except SlowQueryError:
                raise RequestError(
                    503, "filter: it takes too long: ask for less", "filter", {"Retry-After": "1"}
                ) from None
        return vector, matches
