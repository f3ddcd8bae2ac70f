"""From a request to the pictures found: tokenise, batch, encode, search, look up.

The event loop tokenises and waits; one thread encodes and searches whole batches.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import faiss
import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.items import Item
from models.manifest import IMAGE_ENCODER, THUMBNAILS
from models.pictures import PictureError, decode, preprocess, reduced_side
from models.relevance import relevant
from models.schemas import DEFAULT_K, EncodeRequest, SearchRequest
from serving import metrics
from serving.batching import Batcher
from serving.cache import VectorCache
from serving.errors import RequestError

Vector = NDArray[np.float32]
Tokens = list[int]

# How much of an unwanted description is taken off the wanted one. At one half it moves
# the unwanted pictures down without making the query mean something else.
_NEGATIVE_WEIGHT = 0.5
_WARM_UP_QUERY = "a photo of a red fox in the snow"


@dataclass(frozen=True, slots=True)
class Hit:
    """One picture found, its cosine similarity to the query, and whether to show it."""

    item: Item
    similarity: float
    relevant: bool
    vector: Vector | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of one search went, in seconds."""

    tokenize: float = 0.0
    queue: float = 0.0
    encode: float = 0.0
    search: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """The pictures found, best first."""

    hits: list[Hit]
    timing: Timing


@dataclass(frozen=True, slots=True)
class _Query:
    """One search of a batch: texts still to be encoded, and a vector that is known."""

    k: int
    wanted: Tokens | None = None
    unwanted: Tokens | None = None
    vector: Vector | None = None
    positions: NDArray[np.int64] | None = None
    min_similarity: float | None = None
    with_vectors: bool = False
    enqueued: float = 0.0


class Engine:
    """Answers searches over one bundle.

    Args:
        bundle: what is searched.
        max_batch_size: queries that share one encoder run and one index search.
        max_queue: searches under way before new ones are refused.
        cache_size: query texts whose vectors are remembered.
    """

    def __init__(
        self, bundle: Bundle, *, max_batch_size: int, max_queue: int, cache_size: int = 0
    ) -> None:
        self.bundle = bundle
        self._mean = bundle.index.mean()
        # Used by the batch thread only.
        self._texts = VectorCache(bundle.text_encoder.encode, cache_size)
        # FAISS counts its threads for each calling thread.
        self._executor = ThreadPoolExecutor(
            1, "batch", initializer=faiss.omp_set_num_threads, initargs=(bundle.threads,)
        )
        self._pictures = ThreadPoolExecutor(1, "picture")
        self._search = Batcher(
            "search",
            self._answer_together,
            self._executor,
            max_batch_size=max_batch_size,
            max_queue=max_queue,
        )
        self._encode = Batcher(
            "encode",
            self._encode_together,
            self._executor,
            max_batch_size=max_batch_size,
            max_queue=max_queue,
        )

    @property
    def version(self) -> str:
        """Part of a thumbnail's address: changes whenever a thumbnail may have."""
        return self.bundle.manifest.files[THUMBNAILS].sha256[:8]

    async def warm_up(self) -> None:
        """Run everything that a search needs, until nothing is slow for being the first."""
        tokens = self.bundle.tokenizer.encode([_WARM_UP_QUERY])
        await self._encode.warm_up(tokens)
        # By its vector: a text would be remembered, and counted, as if somebody had asked it.
        await self._search.warm_up(_Query(k=DEFAULT_K, vector=self._mean))

    def close(self) -> None:
        """Let go of the threads; calls that wait are refused."""
        self._search.close()
        self._encode.close()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._pictures.shutdown(wait=False, cancel_futures=True)

    async def search(self, request: SearchRequest) -> Found:
        """The pictures that a text describes, or that resemble a picture of the bundle.

        Raises:
            RequestError: no such picture, a filter that makes no sense, or overload.
        """
        started = time.perf_counter()
        texts = [text for text in (request.query, request.negative) if text is not None]
        tokens = self.bundle.tokenizer.encode(texts)
        query = _Query(
            k=request.k,
            wanted=tokens[0] if request.query is not None else None,
            unwanted=tokens[-1] if request.negative is not None else None,
            vector=None if request.like is None else self._vector_of(request.like),
            positions=None if request.filter is None else self._matching(request.filter),
            min_similarity=request.min_similarity,
            with_vectors=request.include_embeddings,
        )
        return await self._submit(query, time.perf_counter() - started)

    async def search_by_image(self, picture: bytes, k: int = DEFAULT_K) -> Found:
        """The pictures that resemble a picture.

        Raises:
            RequestError: the bytes are no picture, the bundle has no picture encoder, or the
                service is overloaded.
        """
        if IMAGE_ENCODER not in self.bundle.manifest.files:
            raise RequestError(
                501, "this service was deployed without its picture encoder: search by text"
            )
        started = time.perf_counter()
        loop = asyncio.get_running_loop()
        vector = await loop.run_in_executor(self._pictures, self._encode_picture, picture)
        encoded = time.perf_counter() - started
        found = await self._submit(_Query(k=k, vector=vector), 0.0)
        return replace(found, timing=replace(found.timing, encode=encoded))

    async def encode(self, request: EncodeRequest) -> NDArray[np.float32]:
        """The vectors of some texts, float32 ``[n, dim]``, L2-normalised.

        Raises:
            RequestError: the service is overloaded.
        """
        return await self._encode(self.bundle.tokenizer.encode(request.texts))

    async def _submit(self, query: _Query, tokenize: float) -> Found:
        found = await self._search(replace(query, enqueued=time.perf_counter()))
        return replace(found, timing=replace(found.timing, tokenize=tokenize))

    def _vector_of(self, picture_id: str) -> Vector:
        position = self.bundle.items.position_of(picture_id)
        if position is None:
            raise RequestError(404, f"like: no picture has the id {picture_id!r}", "like")
        return self.bundle.index.reconstruct(position)

    def _matching(self, conditions: dict[str, object]) -> NDArray[np.int64]:
        try:
            return self.bundle.items.matching(conditions).positions
        except ValueError as error:
            raise RequestError(400, f"filter: {error}", "filter") from None

    def _encode_picture(self, picture: bytes) -> Vector:
        preprocessing = self.bundle.manifest.model.preprocessing
        try:
            # Reduced as at build time, so that a picture finds itself exactly.
            image = decode(picture, reduce_to=reduced_side(preprocessing))
            pixels = preprocess(image, preprocessing)
        except PictureError as error:
            raise RequestError(400, f"image: {error}", "image") from None
        vector: Vector = self.bundle.image_encoder.encode(pixels[np.newaxis])[0]
        return vector

    def _encode_together(self, requests: Sequence[list[Tokens]]) -> list[NDArray[np.float32]]:
        """The vectors that each request asks for, all of them in one run."""
        vectors = self.bundle.text_encoder.encode([text for texts in requests for text in texts])
        ends = np.cumsum([len(texts) for texts in requests])
        return list(np.split(vectors, ends[:-1]))

    def _answer_together(self, queries: Sequence[_Query]) -> list[Found]:
        started = time.perf_counter()
        vectors = self._vectors(queries)
        encoded = time.perf_counter()
        positions, similarities = self._nearest(queries, vectors)
        hits = self._look_up(queries, positions, similarities, vectors @ self._mean)
        searched = time.perf_counter()
        metrics.ENCODE_SECONDS.observe(encoded - started)
        metrics.SEARCH_SECONDS.observe(searched - encoded)
        return [
            Found(
                found,
                Timing(
                    queue=started - query.enqueued,
                    encode=encoded - started,
                    search=searched - encoded,
                ),
            )
            for query, found in zip(queries, hits, strict=True)
        ]

    def _vectors(self, queries: Sequence[_Query]) -> NDArray[np.float32]:
        """What each query seeks, float32 ``[n, dim]``, L2-normalised."""
        texts = [tokens for query in queries for tokens in (query.wanted, query.unwanted) if tokens]
        encoded = iter(self._texts.vectors(texts))
        sought = np.zeros((len(queries), self.bundle.index.dim), dtype=np.float32)
        for row, query in zip(sought, queries, strict=True):
            if query.wanted is not None:
                row += next(encoded)
            if query.vector is not None:
                row += query.vector
            if query.unwanted is not None:
                row -= _NEGATIVE_WEIGHT * next(encoded)
        norms = np.linalg.norm(sought, axis=1, keepdims=True)
        # A text and its own opposite leave nothing to normalise.
        unit: NDArray[np.float32] = sought / np.maximum(norms, np.finfo(np.float32).tiny)
        return unit

    def _nearest(
        self, queries: Sequence[_Query], vectors: NDArray[np.float32]
    ) -> tuple[list[NDArray[np.int64]], list[Vector]]:
        """The positions found for each query, best first, and their similarities."""
        index = self.bundle.index
        positions: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)] * len(queries)
        similarities: list[Vector] = [np.empty(0, dtype=np.float32)] * len(queries)
        unfiltered = [row for row, query in enumerate(queries) if query.positions is None]
        if unfiltered:
            most = min(max(queries[row].k for row in unfiltered), len(index))
            found_similarities, found = index.search(vectors[unfiltered], most)
            for row, near, score in zip(unfiltered, found, found_similarities, strict=True):
                positions[row], similarities[row] = near, score
        for row, query in enumerate(queries):
            if query.positions is not None:
                scores, near = index.search(
                    vectors[row : row + 1], min(query.k, len(index)), query.positions
                )
                positions[row], similarities[row] = near[0], scores[0]
        for row, query in enumerate(queries):
            keep = positions[row] >= 0
            if query.min_similarity is not None:
                keep &= similarities[row] >= query.min_similarity
            positions[row] = positions[row][keep][: query.k]
            similarities[row] = similarities[row][keep][: query.k]
        return positions, similarities

    def _look_up(
        self,
        queries: Sequence[_Query],
        positions: list[NDArray[np.int64]],
        similarities: list[Vector],
        backgrounds: Vector,
    ) -> list[list[Hit]]:
        wanted = sorted({int(position) for near in positions for position in near})
        items = {item.position: item for item in self.bundle.items.get(wanted)}
        return [
            [
                Hit(
                    items[position],
                    similarity,
                    shown,
                    self.bundle.index.reconstruct(position) if query.with_vectors else None,
                )
                for position, similarity, shown in zip(
                    near.tolist(),
                    scores.tolist(),
                    relevant(scores, background).tolist(),
                    strict=True,
                )
            ]
            for query, near, scores, background in zip(
                queries, positions, similarities, backgrounds.tolist(), strict=True
            )
        ]
