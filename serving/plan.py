"""What a request asks, made ready for a batch: texts as tokens, likes and filters as numbers.

Texts are tokenised on the event loop, which takes some ten microseconds.  What has to be looked
up in the bundle's files is looked up in threads, so that no search waits for another's filter.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.collection import Collection, Kept, Matching
from models.database import SlowQueryError
from models.elsewhere import UnavailableError, UnsupportedError
from models.fusion import Mode, named_in
from models.order import Ordered
from models.wording import undressed
from models.words import Named
from serving.algebra import read_terms
from serving.errors import RequestError, overloaded, unavailable, unsupported
from serving.facets import Among
from serving.wire.fields import MAX_PAGED
from serving.wire.requests import ImageSearchRequest, SearchRequest

Vector = NDArray[np.float32]
Tokens = list[int]
Question = SearchRequest | ImageSearchRequest
# The field of the request, the id, and how much it counts.
_Like = tuple[str, str, float]

P = ParamSpec("P")
T = TypeVar("T")

# How much of an unwanted description is taken off the wanted one. At one half it moves
# the unwanted pictures down without making the query mean something else.
NEGATIVE_WEIGHT = 0.5
SOON = {"Retry-After": "1"}
_THREADS = 4
# Those wait for a server most of the time.
_THREADS_ELSEWHERE = 32
_MOST_UNDER_WAY = 256
# To look up more pictures than this takes longer than to find them.
_FEW = 100


@dataclass(frozen=True, slots=True)
class Weighted:
    """A part of what is sought, a text still to be encoded or a vector, and how much it counts."""

    what: Tokens | Vector
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """One search: what is sought, which is the sum of its parts, and where to look.

    ``k`` pictures are asked for, behind ``offset`` better ones; where it is None, the best, and
    no count of the relevant ones.  ``fold`` and ``diversity`` arrange them
    (:mod:`serving.arrangement`).  ``named`` are those of which the words are said, None where
    looks alone count; ``mode`` is None where nobody wants to know what counted.  ``sort`` is the
    order of those that are relevant (:mod:`models.order`), None for the best first.  ``filtered``,
    ``tokenized`` and ``encoded`` are the seconds that it took to find ``kept`` and ``named``,
    the tokens and, of texts that were encoded beforehand, their vectors; ``was_text`` says that
    this was all there was; ``warnings`` tell of conditions that no picture can meet, and
    ``suggestion`` is what the query may have meant.  ``facets`` are the fields whose values are to
    be counted, among the pictures that ``facets_of`` says, None for no such count.
    """

    k: int
    sought: tuple[Weighted, ...] = ()
    kept: Kept | None = None
    offset: int | None = None
    mode: Mode | None = None
    named: Named | None = None
    sort: str | None = None
    min_similarity: float | None = None
    fold: float | None = None
    diversity: float | None = None
    with_vectors: bool = False
    warnings: tuple[str, ...] = ()
    suggestion: str | None = None
    facets: tuple[str, ...] | None = None
    facets_of: Among = "relevant"
    filtered: float = 0.0
    tokenized: float = 0.0
    encoded: float = 0.0
    was_text: bool = False

    @property
    def depth(self) -> int:
        """How many of the best to look at: as many on every page, so that all count alike."""
        counted = self.offset is not None or self.named is not None or self.counts_relevant
        whole = counted or self.sort is not None or self.is_arranged
        return MAX_PAGED if whole else self.k

    @property
    def page(self) -> slice:
        """The places that are asked for."""
        start = self.offset or 0
        return slice(start, start + self.k)

    @property
    def takes_a_while(self) -> bool:
        """Whether what is found is to be looked up where no other search waits for it."""
        return self.sort is not None or self.k > _FEW

    @property
    def is_arranged(self) -> bool:
        """Whether what is found is folded, or put into another order."""
        return self.fold is not None or self.diversity is not None

    @property
    def counts_relevant(self) -> bool:
        """Whether values of the relevant pictures are to be counted."""
        return bool(self.facets) and self.facets_of == "relevant"

    @property
    def is_text(self) -> bool:
        """Whether one text is all that is sought: sums and pictures have another scale."""
        return self.was_text or (len(self.sought) == 1 and isinstance(self.sought[0].what, list))

    @property
    def cost(self) -> int:
        """The tokens to encode."""
        texts = (part.what for part in self.sought if isinstance(part.what, list))
        return max(1, sum(map(len, texts)))


@dataclass(frozen=True, slots=True)
class Browsed:
    """What is there where nothing is sought: the positions on a page, of all that are ``kept``.

    ``total`` is how many there are in all, where that was asked for.
    """

    positions: NDArray[np.int64]
    kept: Kept | None
    total: int | None
    warnings: tuple[str, ...]
    filtered: float


class Planner:
    """Reads requests with a bundle's eyes.

    Args:
        bundle: what is searched.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._tokenizer = bundle.tokenizer
        self._collection = bundle.collection
        threads = _THREADS_ELSEWHERE if bundle.collection.is_elsewhere else _THREADS
        self._threads = ThreadPoolExecutor(threads, "look-up")
        self._under_way = 0

    async def search(self, request: Question) -> Plan:
        """What a search asks, but for the pictures that are sent with it.

        Raises:
            RequestError: no such picture, an algebra or a filter that makes no sense, or overload.
        """
        likes = list(_likes(request))
        found: list[Weighted] = []
        matches = None
        started = time.perf_counter()
        if likes or request.filter is not None:
            found, matches = await self.look_up(self._known, likes, request.filter)
        kept = None if matches is None else matches.kept
        texts = list(_texts(request))
        named = None
        if request.mode in ("auto", "text"):
            words = " ".join(text for text, weight in texts if weight > 0)
            if request.mode == "text" and not words:
                raise RequestError(400, "mode: text needs a text to find", "mode")
            named, kept = await self.look_up(self._named, words, kept, request.mode)
        suggestion = None
        if request.spelling and request.query is not None:
            suggestion = await self.look_up(self._collection.meant, request.query, self._is_known)
        filtered = time.perf_counter()
        tokens = self._tokenizer.encode([undressed(text) for text, _ in texts])
        encoded = [Weighted(one, weight) for one, (_, weight) in zip(tokens, texts, strict=True)]
        return Plan(
            k=request.k,
            sought=_in_order([*encoded, *found]),
            kept=kept,
            warnings=() if matches is None else tuple(matches.warnings),
            suggestion=suggestion,
            offset=request.offset,
            mode=request.mode,
            named=named,
            sort=request.order,
            min_similarity=request.min_similarity,
            fold=request.fold,
            # With none the order is as it was.
            diversity=request.diversity or None,
            with_vectors=request.include_embeddings,
            facets=None if request.facets is None else tuple(request.facets),
            facets_of=request.facets_of,
            filtered=filtered - started,
            tokenized=time.perf_counter() - filtered,
        )

    async def browse(self, request: SearchRequest) -> Browsed:
        """The pictures that meet a filter, in an order of their own.

        Raises:
            RequestError: a filter that makes no sense, or overload.
        """
        assert request.order is not None
        started = time.perf_counter()
        matches = None
        if request.filter is not None:
            _, matches = await self.look_up(self._known, [], request.filter)
        filtered = time.perf_counter() - started
        kept = None if matches is None else matches.kept
        start = request.offset or 0
        ordered = await self.look_up(
            self.ordered, request.order, kept, start=start, stop=start + request.k
        )
        total = None
        if request.offset is not None:
            total = await self.look_up(self._collection.count, kept)
        return Browsed(
            ordered.positions,
            kept,
            total,
            warnings=(*(matches.warnings if matches else ()), *ordered.warnings),
            filtered=filtered,
        )

    def ordered(self, by: str, kept: Kept | None, *, start: int, stop: int) -> Ordered:
        """The pictures in some places of an order: :meth:`models.collection.Collection.ordered`.

        Raises:
            RequestError: 503, it takes too long.
        """
        try:
            return self._collection.ordered(by, kept, start=start, stop=stop)
        except SlowQueryError:
            raise RequestError(
                503, "sort: it takes too long: filter more, or sort by relevance", "sort", SOON
            ) from None

    def texts(self, texts: list[str]) -> list[Tokens]:
        """The tokens of some texts."""
        return self._tokenizer.encode(texts)

    def counted(self, texts: Sequence[str]) -> tuple[list[Tokens], int]:
        """The tokens of some texts, and how many these are without what fills a context."""
        unpadded = self._tokenizer.unpadded(texts)
        return [self._tokenizer.pad(ids) for ids in unpadded], sum(map(len, unpadded))

    async def look_up(self, what: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what reads the bundle's files, or asks a server, in a thread.

        Raises:
            RequestError: 429 where too many do already; 503 where what is searched lies elsewhere
                and does not answer, 501 where this cannot be done there.
        """
        if self._under_way >= _MOST_UNDER_WAY:
            raise overloaded()
        self._under_way += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, lambda: what(*args, **kwargs))
        except UnavailableError as error:
            raise unavailable(error) from None
        except UnsupportedError as error:
            raise unsupported(error) from None
        finally:
            self._under_way -= 1

    def close(self, *, wait: bool = False) -> None:
        """Let go of the threads; what waits for one is dropped.

        Args:
            wait: until what they are at is done.
        """
        self._threads.shutdown(wait=wait, cancel_futures=True)

    def _known(
        self, likes: list[_Like], conditions: dict[str, Any] | None
    ) -> tuple[list[Weighted], Matching | None]:
        """The vectors of the pictures that are asked for, and what a filter leaves."""
        found = []
        for field, picture_id, weight in likes:
            item = self._collection.find(picture_id)
            if item is None:
                raise RequestError(404, f"{field}: no picture has the id {picture_id!r}", field)
            found.append(Weighted(self._collection.vectors([item.position])[0], weight))
        if conditions is None:
            return found, None
        return found, matching(self._collection, conditions)

    def _is_known(self, word: str) -> bool:
        """Whether the model has met a word so often that it has a token for it alone."""
        nothing, ids = self._tokenizer.unpadded(["", word])
        return len(ids) <= len(nothing) + 1

    def _named(self, words: str, kept: Kept | None, mode: Mode) -> tuple[Named, Kept | None]:
        """The pictures of which some words are said, and what is left to search among."""
        try:
            return named_in(self._collection, words, mode, kept)
        except SlowQueryError:
            raise RequestError(
                503,
                "query: its words take too long: ask for more of them, or for mode image",
                "query",
                SOON,
            ) from None


def matching(collection: Collection, conditions: dict[str, Any]) -> Matching:
    """What a filter leaves; to be called in a thread.

    Raises:
        RequestError: it makes no sense, or takes too long.
    """
    try:
        return collection.matching(conditions)
    except ValueError as error:
        raise RequestError(400, f"filter: {error}", "filter") from None
    except SlowQueryError:
        raise RequestError(503, "filter: it takes too long: ask for less", "filter", SOON) from None


def _in_order(parts: list[Weighted]) -> tuple[Weighted, ...]:
    """What is taken off comes last: the last bits of a sum depend on the order."""
    if len(parts) > 1:
        parts.sort(key=lambda part: part.weight < 0)
    return tuple(parts)


def _likes(request: Question) -> Iterator[_Like]:
    """The pictures of the bundle that are to be resembled."""
    if request.like is not None:
        yield "like", request.like, 1.0
    for number, part in enumerate(request.queries or ()):
        if part.like is not None:
            yield f"queries.{number}.like", part.like, part.weight


def _texts(request: Question) -> Iterator[tuple[str, float]]:
    """The texts that are sought, and how much each counts."""
    if request.query is not None:
        if request.syntax == "algebra":
            try:
                yield from ((term.text, term.weight) for term in read_terms(request.query))
            except ValueError as error:
                raise RequestError(400, f"query: {error}", "query") from None
        else:
            yield request.query, 1.0
    if request.negative is not None:
        yield request.negative, -NEGATIVE_WEIGHT
    for part in request.queries or ():
        if part.text is not None:
            yield part.text, part.weight
