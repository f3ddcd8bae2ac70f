"""From a request to the images found: plan, batch, encode, search.

The event loop plans and waits; one thread encodes and searches whole batches, another takes
the images that are sent as queries.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models import machine
from models.bundle import Bundle
from models.manifest import CHANGED_THUMBNAILS, THUMBNAILS, DamagedError
from models.vector_index import use_threads
from serving.batcher import Batcher
from serving.browsing import browse, with_facets
from serving.cache import VectorCache
from serving.errors import RequestError, overloaded
from serving.finishing import finished
from serving.found import Found
from serving.image_queue import ImageQueue
from serving.metrics import Metrics
from serving.plan import Plan, Question, Tokens, Vector, Weighted
from serving.planner import Planner
from serving.search import Searcher
from serving.settings import Settings
from serving.ticket import WHENEVER, Ticket
from serving.timing import Timing
from serving.uploads import Upload, within_json
from serving.wire.fields import DEFAULT_K, MAX_TEXTS
from serving.wire.requests import EncodeRequest, ImageSearchRequest, SearchRequest

logger = logging.getLogger("sightline")

# Between a thousandth of a gigabyte and the next, so that searches hardly notice.
_SCRUB_PAUSE_SECONDS = 0.01
# About as many as CLIP's tokenizer puts into one.
_CHARACTERS_A_TOKEN = 4
_NOTHING_ELSE = ImageSearchRequest()
_WARM_UP_QUERY = "a photo of a red fox in the snow"
_WARM_UP_RUNS = 10


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


class Engine:
    """Answers searches over one bundle.

    ``version`` names the bundle: 16 hex digits of what its manifest says.

    Args:
        bundle: what is searched.
        settings: how much at once.
        metrics: counts.
        closes_bundle: whether nobody else uses the bundle when this is closed.
    """

    def __init__(
        self,
        bundle: Bundle,
        settings: Settings,
        metrics: Metrics,
        *,
        closes_bundle: bool = False,
    ) -> None:
        self.bundle = bundle
        self._closes_bundle = closes_bundle
        self.planner = Planner(bundle)
        self._metrics = metrics
        self._max_upload = settings.max_upload
        # Texts are encoded by the batch thread only.
        self._searcher = Searcher(
            bundle, VectorCache(bundle.text_encoder.encode, settings.cache_size, metrics), metrics
        )
        self._batch_thread = ThreadPoolExecutor(
            1, "batch", initializer=_begin_batches, initargs=(bundle.threads,)
        )
        self._batches: Batcher[_Call, _Answer] = Batcher(
            "search",
            self._answer_together,
            self._batch_thread,
            metrics,
            max_batch_size=settings.max_batch_size,
            max_queue=settings.max_queue,
        )
        self._images = ImageQueue(bundle, settings, metrics)
        self.version = bundle.manifest.version
        # Set once nobody wants to know any more.
        self._scrubbing = threading.Event()
        self._scrubber: threading.Thread | None = None

    @property
    def thumbnails(self) -> str:
        """Part of a thumbnail's address: changes whenever a thumbnail may have."""
        files = self.bundle.manifest.files
        # The second file is that of a bundle that was changed.
        there = [name for name in (THUMBNAILS, CHANGED_THUMBNAILS) if name in files]
        return "".join(files[name].sha256[:8] for name in there) or self.version[:8]

    async def warm_up(self) -> None:
        """Run everything that a search needs, until nothing is slow for being the first."""
        tokens = self.planner.texts([_WARM_UP_QUERY])
        for _ in range(_WARM_UP_RUNS):
            await self._batches.in_parts([(tokens, 1)])
            # By its vector: a text would be remembered, and counted, as if it had been asked.
            warm = Plan(k=DEFAULT_K, sought=(Weighted(self.bundle.collection.mean()),))
            try:
                await self._find(warm, WHENEVER)
            except RequestError as error:
                # What lies elsewhere may be away now, and back before anybody asks.
                if error.status != 503 or not self.bundle.collection.is_elsewhere:
                    raise
                logger.warning("started all the same: %s", error)

    def close(self) -> None:
        """Let go of the threads; calls that wait are refused."""
        self._batches.close()
        self._images.close()
        self.planner.close()
        self._batch_thread.shutdown(wait=False, cancel_futures=True)
        self._scrubbing.set()
        if self._closes_bundle:
            # Elsewhere, since what still runs in the threads may take its time.
            threading.Thread(target=_close_bundle_of, args=([self],), name="close").start()

    def _close_bundle(self) -> None:
        """Close the bundle's files once nobody reads them any more."""
        self.planner.close(wait=True)
        self._batch_thread.shutdown()
        self._images.join()
        if self._scrubber is not None:
            self._scrubber.join()
        self.bundle.close()

    def scrub(self, damaged: Callable[[DamagedError], None]) -> None:
        """Check what the start has left out, in a thread of its own, slowly.

        Args:
            damaged: is told where something is not what it must be.
        """

        def check() -> None:
            try:
                for _ in self.bundle.scrub():
                    if self._scrubbing.wait(_SCRUB_PAUSE_SECONDS):
                        return
            except DamagedError as error:
                damaged(error)
            # What a large image encoder has taken for its check.
            machine.give_back_memory()

        self._scrubber = threading.Thread(target=check, name="scrub", daemon=True)
        self._scrubber.start()

    def refuse_if_full(self) -> None:
        """Refuse a search before anybody reads what it asks for.

        Raises:
            RequestError: 429, too many are under way.
        """
        if self._batches.full:
            raise overloaded()

    async def search(self, request: SearchRequest, ticket: Ticket = WHENEVER) -> Found:
        """The images that a text describes, or that resemble an image of the bundle.

        Where nothing is sought, all that meet the filter, in the order that is asked for.

        Raises:
            RequestError: no such image, a filter that makes no sense, overload, or too late;
                of images that are sent, what :meth:`search_by_image` says.
        """
        if not request.seeks:
            return await browse(self.planner, self.bundle.collection, request)
        sent = self._sent(request) if request.queries else []
        return await self._answer(request, sent, ticket)

    async def search_by_image(
        self,
        read: Callable[[], bytes],
        request: ImageSearchRequest = _NOTHING_ELSE,
        ticket: Ticket = WHENEVER,
    ) -> Found:
        """The images that resemble an image.

        Args:
            read: gives the image's bytes.  Called once it is its turn: those that wait for
                theirs together might not fit into memory.
            request: what is asked beside it.
            ticket: until when somebody waits.

        Raises:
            RequestError: the bytes are no image, the bundle has no image encoder, the
                service is overloaded, or it is too late.
        """
        sent = [(Upload(read), request.weight), *self._sent(request)]
        return await self._answer(request, sent, ticket)

    async def search_by_vector(
        self, vector: Vector, k: int = DEFAULT_K, ticket: Ticket = WHENEVER
    ) -> Found:
        """The images that lie nearest to a vector, float32 ``[dim]`` of any length.

        Raises:
            RequestError: the service is overloaded, or it is too late.
        """
        return await self._find(Plan(k=k, sought=(Weighted(vector),)), ticket)

    async def encode(
        self, request: EncodeRequest, ticket: Ticket = WHENEVER
    ) -> NDArray[np.float32]:
        """The vectors of some texts and then of some images, float32 ``[n, dim]``.

        Raises:
            RequestError: as for :meth:`encode_texts` and :meth:`encode_images`.
        """
        uploads = [
            within_json(image, f"images.{place}", self._max_upload)
            for place, image in enumerate(request.images)
        ]
        encoded = await self.encode_texts(request.texts, ticket)
        images = await self.encode_images(uploads, ticket)
        return np.concatenate([encoded.vectors, images])

    async def encode_texts(self, texts: Sequence[str], ticket: Ticket = WHENEVER) -> Encoded:
        """The vectors of some texts, L2-normalised.

        Raises:
            RequestError: the service is overloaded, or it is too late.
        """
        vectors: list[_Answer] = [np.empty((0, self.bundle.collection.dim), dtype=np.float32)]
        count = 0
        # Before they are tokenised, which for many texts takes longer than to refuse them.
        cost = sum(2 + len(text) // _CHARACTERS_A_TOKEN for text in texts)
        with self._batches.room(cost):
            # No more at once, since nobody else is answered while texts are tokenised.
            for first in range(0, len(texts), MAX_TEXTS):
                tokens, more = self.planner.counted(texts[first : first + MAX_TEXTS])
                count += more
                parts = _cut(tokens, self._batches.part)
                vectors += await self._batches.in_parts(
                    [(part, sum(map(len, part))) for part in parts], ticket
                )
        return Encoded(np.concatenate(vectors), count)  # type: ignore[arg-type]

    async def encode_images(
        self, uploads: Sequence[Upload], ticket: Ticket = WHENEVER
    ) -> NDArray[np.float32]:
        """The vectors of some images, float32 ``[n, dim]``, L2-normalised.

        They give way to images that are searched by.

        Raises:
            RequestError: one of them is no image, the bundle has no image encoder, the
                service is overloaded, or it is too late.
        """
        vectors = [np.empty((0, self.bundle.collection.dim), dtype=np.float32)]
        if uploads:
            self._images.need_encoder()
            encoded = await self._images.vectors(uploads, ticket)
            vectors += [vector[np.newaxis] for vector in encoded]
        return np.concatenate(vectors)

    def _sent(self, request: Question) -> list[tuple[Upload, float]]:
        """The images in a request's JSON, and how much each counts."""
        return [
            (within_json(part.image, f"queries.{number}.image", self._max_upload), part.weight)
            for number, part in enumerate(request.queries or ())
            if part.image is not None
        ]

    async def _answer(
        self, request: Question, sent: Sequence[tuple[Upload, float]], ticket: Ticket
    ) -> Found:
        """What is found for a request and the images that came with it."""
        if not sent:
            return await self._find(await self.planner.search(request), ticket)
        self._images.need_encoder()
        plan = await self.planner.search(request)
        started = time.perf_counter()
        # One after the other: many of one request must not crowd out those of others.
        seen = [
            Weighted(await self._images.vector(upload, ticket), weight) for upload, weight in sent
        ]
        encoded = time.perf_counter() - started
        found = await self._find(replace(plan, sought=(*plan.sought, *seen)), ticket)
        return replace(found, timing=replace(found.timing, encode=found.timing.encode + encoded))

    async def _find(self, plan: Plan, ticket: Ticket) -> Found:
        started = time.perf_counter()
        if self.bundle.collection.is_elsewhere:
            plan, found = await self._find_elsewhere(plan, ticket)
        elif plan.kept is not None and self.bundle.collection.goes_alone(plan.kept):
            plan, found = await self._find_alone(plan, ticket)
        else:
            found = await self._batches(plan, plan.cost, ticket)
        assert isinstance(found, Found)
        if plan.takes_a_while:
            found = await self.planner.look_up(
                finished, self.planner, self.bundle.collection, plan, found
            )
        ran = found.timing
        encode = plan.encoded + ran.encode
        waited = time.perf_counter() - started - encode - ran.search - ran.lookup
        timing = Timing(
            filter=plan.filtered,
            tokenize=plan.tokenized,
            queue=max(0.0, waited),
            encode=encode,
            search=ran.search,
            lookup=ran.lookup,
        )
        found = replace(
            found,
            timing=timing,
            warnings=(*plan.warnings, *found.warnings),
            suggestion=plan.suggestion,
        )
        if plan.facets is None:
            return found
        among = plan.kept
        if found.relevant is not None:
            among = self.bundle.collection.these(np.sort(found.relevant).tolist())
        return await with_facets(self.planner, self.bundle.collection, plan.facets, among, found)

    async def _find_elsewhere(self, plan: Plan, ticket: Ticket) -> tuple[Plan, _Answer]:
        """A search that waits for a server, and lets no batch wait with it."""
        encoded = await self._batches(_Sought(plan), plan.cost, ticket)
        assert isinstance(encoded, Plan)
        [found], _ = await self.planner.look_up(self._searcher.search, [encoded], [])
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
        vectors = self.bundle.text_encoder.encode([text for part in parts for text in part])
        ends = np.cumsum([len(part) for part in parts])
        return list(np.split(vectors, ends[:-1]))


def _begin_batches(threads: int) -> None:
    """Get the thread of the batches ready."""
    use_threads(threads)
    # Or the event loop would get half of one processor, and refuse in seconds what it cannot take.
    machine.give_way()


def _close_bundle_of(engines: list[Engine]) -> None:
    """Close the bundle of the one engine in a list, and give its memory back.

    A list, so that nothing here keeps the engine.  It and its queues know each other, so that only
    the collector can free it, which by itself would come when some more of them have gathered.
    """
    engines.pop()._close_bundle()
    gc.collect()
    machine.give_back_memory()


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
