"""From a request to the images found: plan, batch, encode, search.

The event loop plans and waits; one thread encodes and searches whole batches, another takes
the images that are sent as queries.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models import machine
from models.bundle import Bundle
from models.damage import DamagedError
from models.file_names import CHANGED_THUMBNAILS, THUMBNAILS
from serving.browsing import browse, with_facets
from serving.errors import RequestError
from serving.finishing import finished
from serving.found import Found
from serving.image_queue import ImageQueue
from serving.metrics import Metrics
from serving.plan import Plan, Question, Vector, Weighted
from serving.planner import Planner
from serving.scrubber import Scrubber
from serving.search_queue import Encoded, SearchQueue
from serving.settings import Settings
from serving.ticket import WHENEVER, Ticket
from serving.timing import Timing
from serving.uploads import Upload, within_json
from serving.wire.fields import DEFAULT_K
from serving.wire.requests import EncodeRequest, ImageSearchRequest, SearchRequest

logger = logging.getLogger("sightline")

_NOTHING_ELSE = ImageSearchRequest()
_WARM_UP_QUERY = "a photo of a red fox in the snow"
_WARM_UP_RUNS = 10


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
        self._max_upload = settings.max_upload
        self._thumbnails_at = settings.thumbnails_at
        self._searches = SearchQueue(bundle, self.planner, settings, metrics)
        self._images = ImageQueue(bundle, settings, metrics)
        self.version = bundle.manifest.version
        self._scrubber = Scrubber(bundle)

    @property
    def thumbnails(self) -> str:
        """Part of a thumbnail's address: changes whenever a thumbnail may have."""
        files = self.bundle.manifest.files
        # The second file is that of a bundle that was changed.
        there = [name for name in (THUMBNAILS, CHANGED_THUMBNAILS) if name in files]
        return "".join(files[name].sha256[:8] for name in there) or self.version[:8]

    @property
    def thumbnail_url(self) -> str:
        """The address of a thumbnail, with ``{id}`` in place of the image's id."""
        return self._thumbnails_at or f"/images/{{id}}?size=thumbnail&v={self.thumbnails}"

    async def warm_up(self) -> None:
        """Run everything that a search needs, until nothing is slow for being the first."""
        for _ in range(_WARM_UP_RUNS):
            await self._searches.warm_up([_WARM_UP_QUERY])
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
        self._searches.close()
        self._images.close()
        self.planner.close()
        self._scrubber.stop()
        if self._closes_bundle:
            # Elsewhere, since what still runs in the threads may take its time.
            threading.Thread(target=_close_bundle_of, args=([self],), name="close").start()

    def _close_bundle(self) -> None:
        """Close the bundle's files once nobody reads them any more."""
        self.planner.close(wait=True)
        self._searches.join()
        self._images.join()
        self._scrubber.join()
        self.bundle.close()

    def scrub(self, damaged: Callable[[DamagedError], None]) -> None:
        """Check what the start has left out, in a thread of its own, slowly.

        Args:
            damaged: is told where something is not what it must be.
        """
        self._scrubber.start(damaged)

    def refuse_if_full(self) -> None:
        """Refuse a search before anybody reads what it asks for.

        Raises:
            RequestError: 429, too many are under way.
        """
        self._searches.refuse_if_full()

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
        return await self._searches.encode(texts, ticket)

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
        plan, found = await self._searches.find(plan, ticket)
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


def _close_bundle_of(engines: list[Engine]) -> None:
    """Close the bundle of the one engine in a list, and give its memory back.

    A list, so that nothing here keeps the engine.  Its queues and their batches know each other, so
    that only the collector can free them, which by itself would come when some more have gathered.
    """
    engines.pop()._close_bundle()
    gc.collect()
    machine.give_back_memory()
