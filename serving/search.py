"""What is found for a batch of plans: encode, search, cut into pages, look up.

In one thread, which has the index and the encoder to itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.fusion import fuse, rankings_of
from models.relevance import relevant
from models.words import Named
from serving.cache import VectorCache
from serving.found import Found, Place, look_up
from serving.metrics import Metrics
from serving.plan import Plan, Vector, Weighted
from serving.timing import Timing
from serving.wire.fields import MAX_K, MAX_PAGED

# What is searched for each query, and cut to its own k, whoever shares the batch: enough more than
# k that equals at the border of k are all there, and are taken in their order.
_DEPTHS = (32, 128, max(MAX_K, MAX_PAGED) + 28)
_BEYOND_K = 12


@dataclass(frozen=True, slots=True)
class _Page:
    """What one search asked for, best first; the rest as :class:`Found` has it.

    Where they are still to be folded, varied or put into order, all of them.
    """

    places: list[Place]
    total_relevant: int | None
    relevant: NDArray[np.int64] | None


class Searcher:
    """Searches one bundle.

    Args:
        bundle: what is searched.
        texts: gives the vectors of texts, and remembers them.
        metrics: of the time that it takes.
    """

    def __init__(self, bundle: Bundle, texts: VectorCache, metrics: Metrics) -> None:
        self._collection = bundle.collection
        self._texts = texts
        self._metrics = metrics
        self._floor = bundle.manifest.floor
        self._subject = bundle.manifest.subject
        self._mean = bundle.collection.mean()

    def search(
        self, plans: Sequence[Plan], sought: Sequence[Plan]
    ) -> tuple[list[Found], list[Plan]]:
        """What is found for some plans, and others with their texts encoded in the same run."""
        if not plans and not sought:
            return [], []
        started = time.perf_counter()
        vectors = self.vectors([*plans, *sought])
        encoded = time.perf_counter()
        self._metrics.encode_seconds.observe(encoded - started)
        known = [
            replace(
                plan,
                sought=(Weighted(vector),),
                encoded=encoded - started,
                was_text=plan.is_text,
            )
            for plan, vector in zip(sought, vectors[len(plans) :], strict=True)
        ]
        if not plans:
            return [], known
        vectors = vectors[: len(plans)]
        pages = self._pages(plans, vectors, *self._nearest(plans, vectors))
        searched = time.perf_counter()
        # Of what takes a while later: no other search is to wait for it.
        now = [
            () if plan.takes_a_while else page.places
            for plan, page in zip(plans, pages, strict=True)
        ]
        hits = look_up(self._collection, plans, now)
        timing = Timing(
            encode=encoded - started,
            search=searched - encoded,
            lookup=time.perf_counter() - searched,
        )
        self._metrics.search_seconds.observe(timing.search)
        return [
            Found(
                some,
                timing,
                total_relevant=page.total_relevant,
                relevant=page.relevant,
                places=page.places if plan.takes_a_while else (),
            )
            for plan, some, page in zip(plans, hits, pages, strict=True)
        ], known

    def vectors(self, plans: Sequence[Plan]) -> NDArray[np.float32]:
        """What each search seeks, float32 ``[n, dim]``, L2-normalised."""
        texts = [part.what for plan in plans for part in plan.sought if isinstance(part.what, list)]
        encoded = iter(self._texts.vectors(texts))
        sought = np.zeros((len(plans), self._collection.dim), dtype=np.float32)
        for row, plan in zip(sought, plans, strict=True):
            for part in plan.sought:
                vector = next(encoded) if isinstance(part.what, list) else part.what
                row += vector if part.weight == 1 else part.weight * vector
        norms = np.linalg.norm(sought, axis=1, keepdims=True)
        # What is added and taken away again leaves nothing to normalise.
        unit: NDArray[np.float32] = sought / np.maximum(norms, np.finfo(np.float32).tiny)
        return unit

    def _nearest(
        self, plans: Sequence[Plan], vectors: NDArray[np.float32]
    ) -> tuple[list[NDArray[np.int64]], list[Vector]]:
        """The positions found for each search, best first, and their similarities."""
        collection = self._collection
        positions: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)] * len(plans)
        similarities: list[Vector] = [np.empty(0, dtype=np.float32)] * len(plans)
        alike: dict[int, list[int]] = {}
        for row, plan in enumerate(plans):
            needed = plan.depth + _BEYOND_K
            depth = next(depth for depth in _DEPTHS if depth >= needed)
            if plan.kept is None:
                alike.setdefault(depth, []).append(row)
            else:
                scores, near = collection.search(vectors[row : row + 1], depth, plan.kept)
                positions[row], similarities[row] = near[0], scores[0]
        for depth, rows in alike.items():
            found_similarities, found = collection.search(vectors[rows], depth)
            for row, near, score in zip(rows, found, found_similarities, strict=True):
                positions[row], similarities[row] = near, score
        for row, plan in enumerate(plans):
            keep = positions[row] >= 0
            if plan.min_similarity is not None:
                keep &= similarities[row] >= plan.min_similarity
            most = plan.depth
            positions[row] = positions[row][keep][:most]
            similarities[row] = similarities[row][keep][:most]
        return positions, similarities

    def _pages(
        self,
        plans: Sequence[Plan],
        vectors: NDArray[np.float32],
        positions: Sequence[NDArray[np.int64]],
        similarities: Sequence[Vector],
    ) -> list[_Page]:
        """Of what was found for each search, what it asked for."""
        pages = []
        backgrounds = (vectors * self._mean).sum(axis=1).tolist()
        for plan, vector, near, scores, background in zip(
            plans, vectors, positions, similarities, backgrounds, strict=True
        ):
            if plan.is_text:
                shown = relevant(scores, background, self._floor, self._subject)
            else:
                shown = relevant(scores, background)
            whole = plan.sort is not None or plan.is_arranged
            page = slice(None) if whole else plan.page
            total = None
            at = near[shown] if plan.counts_relevant else None
            if plan.named is not None:
                places = self._with_named(plan, plan.named, vector, near, scores, shown)
                if plan.offset is not None:
                    total = sum(place.relevant for place in places)
                if plan.counts_relevant:
                    alike = [place.position for place in places if place.relevant]
                    at = np.array(alike, dtype=np.int64)
                places = places[page]
            else:
                if plan.offset is not None:
                    total = int(shown.sum())
                places = [
                    Place(position, score, flag, score)
                    for position, score, flag in zip(
                        near[page].tolist(),
                        scores[page].tolist(),
                        shown[page].tolist(),
                        strict=True,
                    )
                ]
                if plan.mode is not None:
                    for rank, place in enumerate(places, (page.start or 0) + 1):
                        place.matched = {"image": rank}
            pages.append(_Page(places, total, at))
        return pages

    def _with_named(
        self,
        plan: Plan,
        named: Named,
        vector: Vector,
        near: NDArray[np.int64],
        scores: Vector,
        shown: NDArray[np.bool_],
    ) -> list[Place]:
        """All that one search finds by words, and with the mode auto by looks, too.

        What is named is relevant, whatever it looks like.
        """
        rankings = rankings_of(plan.mode or "image", named, near.tolist())
        similarity = dict(zip(near.tolist(), scores.tolist(), strict=True))
        alike = set(near[shown].tolist())
        there = {position for best in named.rankings.values() for position in best}
        if further := sorted(there - similarity.keys()):
            cosines, at = self._collection.search(
                vector[np.newaxis], len(further), self._collection.these(further)
            )
            similarity.update(zip(at[0].tolist(), cosines[0].tolist(), strict=True))
        least = -np.inf if plan.min_similarity is None else plan.min_similarity
        return [
            Place(
                one.position,
                similarity[one.position],
                one.position in there or one.position in alike,
                one.score,
                one.matched,
            )
            for one in fuse(rankings)
            if similarity[one.position] >= least
        ]
