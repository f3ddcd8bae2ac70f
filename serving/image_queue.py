"""The images that are sent: one after the other, in a thread of their own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.images import ImageError, Limits, decode
from models.preprocessing import preprocess, reduced_side
from serving.batcher import LONG_COST, Batcher
from serving.errors import RequestError, too_late
from serving.metrics import Metrics
from serving.plan import Vector
from serving.settings import Settings
from serving.ticket import Ticket
from serving.uploads import Upload


@dataclass(frozen=True, slots=True)
class _Awaited:
    """An image that somebody sent, and until when the answer is waited for (monotonic)."""

    upload: Upload
    deadline: float


class ImageQueue:
    """Encodes the images that are sent.

    Args:
        bundle: whose encoder it is.
        settings: how many may wait, and how large they may be.
        metrics: counts.
    """

    def __init__(self, bundle: Bundle, settings: Settings, metrics: Metrics) -> None:
        self._encoder = bundle.image_encoder
        self._preprocessing = bundle.manifest.model.preprocessing
        self._limits = Limits(pixels=settings.max_pixels)
        self._thread = ThreadPoolExecutor(1, "image")
        self._batches: Batcher[_Awaited, Vector] = Batcher(
            "image",
            lambda awaited: [self._vector_or_refusal(one) for one in awaited],
            self._thread,
            metrics,
            max_batch_size=1,
            max_queue=settings.max_image_queue,
        )

    def close(self) -> None:
        """Refuse what waits, and let go of the thread."""
        self._batches.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait until the thread is done."""
        self._thread.shutdown()

    def need_encoder(self) -> None:
        """Refuse where there is nothing to encode images with.

        Raises:
            RequestError: 501.
        """
        if self._encoder is None:
            raise RequestError(
                501, "this service was deployed without its image encoder: search by text"
            )

    async def vector(self, upload: Upload, ticket: Ticket) -> Vector:
        """The vector of an image that is searched by, float32 ``[dim]``.

        Raises:
            RequestError: it is no image, the service is overloaded, or it is too late.
        """
        return await self._batches(_Awaited(upload, ticket.deadline), 1, ticket)

    async def vectors(self, uploads: Sequence[Upload], ticket: Ticket) -> list[NDArray[np.float32]]:
        """The vectors of some images, which give way to those that are searched by.

        Raises:
            RequestError: as for :meth:`vector`.
        """
        with self._batches.room(LONG_COST * len(uploads)):
            awaited = [_Awaited(upload, ticket.deadline) for upload in uploads]
            part = self._batches.part
            return await self._batches.in_parts([(one, part) for one in awaited], ticket)

    def _vector_or_refusal(self, awaited: _Awaited) -> Vector | Exception:
        """A refusal is an answer, so that it reaches only who caused it."""
        try:
            return self._encode(awaited)
        except RequestError as refusal:
            return refusal

    def _encode(self, awaited: _Awaited) -> Vector:
        upload = awaited.upload
        content = upload.read()
        try:
            # Reduced as at build time, so that an image finds itself exactly.
            side = reduced_side(self._preprocessing)
            image = decode(content, reduce_to=side, limits=self._limits)
            pixels = preprocess(image, self._preprocessing)
        except ImageError as error:
            status = 413 if error.reason == "too large" else 400
            raise RequestError(status, f"{upload.field}: {error}", upload.field) from None
        if time.monotonic() > awaited.deadline:
            raise too_late()
        assert self._encoder is not None
        vector: Vector = self._encoder.encode(pixels[np.newaxis])[0]
        return vector
