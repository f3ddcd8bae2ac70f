"""Makes plans of requests.

Texts are tokenised on the event loop, which takes some ten microseconds.  What has to be looked
up in the bundle's files is looked up in threads, so that no search waits for another's filter.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

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
from serving.plan import Plan, Question, Tokens, Weighted

# The field of the request, the id, and how much it counts.
_Like = tuple[str, str, float]

P = ParamSpec("P")
T = TypeVar("T")

# How much of an unwanted description is taken off the wanted one. At one half it moves
# the unwanted images down without making the query mean something else.
NEGATIVE_WEIGHT = 0.5
SOON = {"Retry-After": "1"}
_THREADS = 4
# Those wait for a server most of the time.
_THREADS_ELSEWHERE = 32
_MOST_UNDER_WAY = 256


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
        """What a search asks, but for the images that are sent with it.

        Raises:
            RequestError: no such image, an algebra or a filter that makes no sense, or overload.
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

    def ordered(self, by: str, kept: Kept | None, *, start: int, stop: int) -> Ordered:
        """The images in some places of an order: :meth:`models.collection.Collection.ordered`.

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
        """The vectors of the images that are asked for, and what a filter leaves."""
        found = []
        for field, image_id, weight in likes:
            item = self._collection.find(image_id)
            if item is None:
                raise RequestError(404, f"{field}: no image has the id {image_id!r}", field)
            found.append(Weighted(self._collection.vectors([item.position])[0], weight))
        if conditions is None:
            return found, None
        return found, matching(self._collection, conditions)

    def _is_known(self, word: str) -> bool:
        """Whether the model has met a word so often that it has a token for it alone."""
        nothing, ids = self._tokenizer.unpadded(["", word])
        return len(ids) <= len(nothing) + 1

    def _named(self, words: str, kept: Kept | None, mode: Mode) -> tuple[Named, Kept | None]:
        """The images of which some words are said, and what is left to search among."""
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
    """The images of the bundle that are to be resembled."""
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
