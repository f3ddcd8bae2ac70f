"""How well a model package finds captioned images by their captions.

Every distinct caption (or every question of a file) is a query, every image of the
folder a candidate, and every image that bears the caption a hit.  The model is held
against two rankings that need none: chance, and how many of the query's words the
image's path holds.

    >>> images = read_images(Path("stamps/set-b"), card, encoder)
    >>> rankings = evaluate(images, caption_queries(images), text_vectors)
    >>> rankings.model.recall(5)
    0.41
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from build.archives import Archives
from build.captions import read_captions
from build.errors import BuildError
from build.evaluation_sheet import COLUMNS, Cell, Row, evenly_spread
from build.questions import hits_of
from build.scan import scan
from models.image_encoder import ImageEncoder
from models.images import ImageError, decode
from models.manifest import ModelCard
from models.preprocessing import preprocess
from models.relevance import relevant
from models.thumbnails import thumbnail

RECALL_AT = (1, 5, 10)
# As many results as the page asks for.
_PAGE = 12
# Words that say nothing about what an image shows.
_STOP_WORDS = frozenset(
    {
        *("a", "an", "and", "are", "as", "at", "by", "for", "from", "has", "have", "i", "in"),
        *("is", "it", "its", "of", "on", "or", "our", "some", "that", "the", "this", "to"),
        *("use", "used", "what", "where", "which", "who", "with", "you", "your"),
    }
)


@dataclass(frozen=True)
class Images:
    """The candidates: their paths, vectors and captions, row by row.

    ``vectors`` is float32 ``[images, dim]`` with rows of length one; ``skipped`` names
    the files that could not be read, with the reason.
    """

    root: Path
    paths: list[str]
    vectors: NDArray[np.float32]
    captions: list[str | None]
    skipped: list[str]


@dataclass(frozen=True)
class Query:
    """A text and the rows of the images that it should find (at least one)."""

    text: str
    hits: frozenset[int]


@dataclass(frozen=True)
class Standing:
    """Where the best hit of one query stands.

    ``better`` candidates score higher than it, ``tied`` as high (itself included), and
    ``hits`` of the tied are hits.  Ties count as drawn at random.
    """

    better: int
    tied: int
    hits: int

    def recall(self, k: int) -> float:
        """The probability that a hit is among the first ``k``."""
        drawn = min(max(k - self.better, 0), self.tied)
        misses = self.tied - self.hits
        return 1 - math.comb(misses, drawn) / math.comb(self.tied, drawn)

    def reciprocal_rank(self) -> float:
        """The expectation of one over the first hit's rank."""
        total, still_missing = 0.0, 1.0
        for drawn in range(self.tied - self.hits + 1):
            left = self.tied - drawn
            total += still_missing * self.hits / left / (self.better + drawn + 1)
            still_missing *= (left - self.hits) / left
        return total

    def rank(self) -> float:
        """The expectation of the first hit's rank, from 1."""
        return self.better + (self.tied + 1) / (self.hits + 1)


@dataclass(frozen=True)
class Ranking:
    """The standings of all queries under one way of ranking."""

    standings: list[Standing]

    def recall(self, k: int) -> float:
        """R@k: the share of queries with a hit among the first ``k``."""
        return fmean(standing.recall(k) for standing in self.standings)

    def mrr(self) -> float:
        """The mean reciprocal rank of the first hit."""
        return fmean(standing.reciprocal_rank() for standing in self.standings)

    def median_rank(self) -> float:
        """The median rank of the first hit."""
        return median(standing.rank() for standing in self.standings)

    def as_json(self) -> dict[str, Any]:
        """``recall_at``, ``mrr`` (shares of one) and ``median_rank``."""
        return {
            "recall_at": {str(k): round(self.recall(k), 4) for k in RECALL_AT},
            "mrr": round(self.mrr(), 4),
            "median_rank": self.median_rank(),
        }


@dataclass(frozen=True)
class Shown:
    """What the service's cut-off (:mod:`models.relevance`) does to the first dozen results.

    Args:
        images: results shown, the mean over the queries.
        precision_of_all: the share of hits among all of the dozen.
        precision: the same among those that are shown.
        hits_kept: the share of the dozen's hits that is shown.
    """

    images: float
    precision_of_all: float
    precision: float
    hits_kept: float

    def as_json(self) -> dict[str, float]:
        """The figures by name; shares of one."""
        return {name: round(value, 4) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Evaluation:
    """The model beside the two rankings that need none.

    ``order`` holds each query's candidates as the model ranks them, best first:
    int64 ``[queries, images]``; ``similarities`` each candidate's, float32 of the same shape.
    """

    images: int
    queries: list[Query]
    order: NDArray[np.int64]
    similarities: NDArray[np.float32]
    model: Ranking
    keywords: Ranking
    chance: Ranking
    shown: Shown

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` writes."""
        return {
            "images": self.images,
            "queries": len(self.queries),
            **self.model.as_json(),
            "chance": self.chance.as_json(),
            "keyword_baseline": self.keywords.as_json(),
            "shown": self.shown.as_json(),
        }

    def table(self, model_name: str) -> str:
        """The rankings side by side; recalls in percent."""
        rankings = (
            (model_name, self.model),
            ("words of the path", self.keywords),
            ("chance", self.chance),
        )
        width = max(len(name) for name, _ in rankings)
        recalls = "".join(f"{f'R@{k}':>7}" for k in RECALL_AT)
        lines = [f"{'':{width}}{recalls}{'MRR':>8}{'median rank':>13}"]
        for name, ranking in rankings:
            shares = "".join(f"{100 * ranking.recall(k):7.1f}" for k in RECALL_AT)
            lines.append(f"{name:{width}}{shares}{ranking.mrr():8.3f}{ranking.median_rank():13.1f}")
        shown = self.shown
        lines.append(
            f"\nOf the first {_PAGE}, {shown.images:.1f} are shown as relevant: they hold "
            f"{100 * shown.hits_kept:.0f} % of the hits, and {100 * shown.precision:.1f} % of them "
            f"are hits, of all {_PAGE} {100 * shown.precision_of_all:.1f} %."
        )
        return "\n".join(lines)


def read_images(root: Path, card: ModelCard, encoder: ImageEncoder) -> Images:
    """Embed every image of a tree and read its captions.

    Raises:
        BuildError: the folder does not exist or holds no image that can be read.
    """
    archives = Archives(root)
    found = scan(root, enter=archives.enter)
    names = [file.path for file in found.images]
    known, warnings = read_captions(root, names, archives)
    skipped = [*warnings, *(f"{each.path}: {each.reason}" for each in found.skipped)]
    paths, vectors = [], []
    for name in tqdm(names, desc="embedding", unit="image", leave=False):
        try:
            pixels = preprocess(decode(archives.content(root / name)), card.preprocessing)
        except ImageError as error:
            skipped.append(f"{name}: {error}")
            continue
        paths.append(name)
        vectors.append(encoder.encode(pixels[np.newaxis])[0])
    if not paths:
        raise BuildError(f"{root} holds no image that can be read ({len(skipped)} skipped).")
    captions = [known[name].text if name in known else None for name in paths]
    return Images(root, paths, np.stack(vectors), captions, skipped)


def caption_queries(images: Images) -> list[Query]:
    """Every distinct caption once, in the order of its first image.

    Raises:
        BuildError: no image has a caption.
    """
    hits: dict[str, set[int]] = {}
    for row, caption in enumerate(images.captions):
        if caption is not None:
            hits.setdefault(caption, set()).add(row)
    if not hits:
        raise BuildError(
            f"none of the {len(images.paths)} images in {images.root} has a caption. Put "
            "photo.txt beside photo.jpg, or captions.csv into the folder, or give --queries."
        )
    return [Query(caption, frozenset(rows)) for caption, rows in hits.items()]


def read_queries(file: Path, images: Images) -> list[Query]:
    """Questions with their hits: ``[{"query": ..., "hits": ["birds/*penguin*", ...]}]``.

    A hit is an image's path in the tree, or a pattern of such paths.

    Raises:
        BuildError: the file is not of this form, or a hit is no image of the tree.
    """
    try:
        entries = json.loads(file.read_text("utf-8"))
        asked = [(str(entry["query"]), [str(hit) for hit in entry["hits"]]) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f'{file} is no list of {{"query": "...", "hits": ["path", ...]}}: {error!r}'
        ) from None
    queries = [
        Query(text, hits_of(patterns, images.paths, f"{file}: {text!r}", images.root))
        for text, patterns in asked
    ]
    if not queries:
        raise BuildError(f"{file} holds no queries")
    return queries


def evaluate(
    images: Images, queries: Sequence[Query], text_vectors: NDArray[np.float32]
) -> Evaluation:
    """Rank all images for every query, by the model, by words and by chance.

    Args:
        images: the candidates.
        queries: what is asked.
        text_vectors: the queries' vectors, float32 ``[queries, dim]``, of length one.
    """
    similarities = text_vectors @ images.vectors.T
    words = [_words(path) for path in images.paths]
    order = np.argsort(-similarities, axis=1, kind="stable")
    return Evaluation(
        images=len(images.paths),
        queries=list(queries),
        order=order,
        similarities=similarities,
        model=_rank(queries, lambda row: similarities[row]),
        keywords=_rank(queries, lambda row: _shared_words(queries[row].text, words)),
        chance=_rank(queries, lambda _: np.zeros(len(words), dtype=np.float32)),
        shown=_fold(queries, similarities, order[:, :_PAGE]),
    )


def sheet_rows(evaluation: Evaluation, images: Images) -> list[Row]:
    """What the sheet shows of some queries."""
    archives = Archives(images.root)
    rows = []
    for number in evenly_spread(len(evaluation.queries)):
        query = evaluation.queries[number]
        cells = [
            Cell(
                path=images.paths[position],
                alt_text=images.captions[position] or images.paths[position],
                why=f"similarity {evaluation.similarities[number, position]:.3f}",
                hit=position in query.hits,
                webp=thumbnail(decode(archives.content(images.root / images.paths[position]))),
            )
            for position in evaluation.order[number, :COLUMNS].tolist()
        ]
        rows.append(Row(query.text, "", cells))
    return rows


def _fold(
    queries: Sequence[Query], similarities: NDArray[np.float32], first: NDArray[np.int64]
) -> Shown:
    hits = np.array(
        [
            [row in query.hits for row in rows]
            for query, rows in zip(queries, first.tolist(), strict=True)
        ]
    )
    shown = np.array(
        [
            relevant(scores[rows], float(scores.mean()))
            for scores, rows in zip(similarities, first, strict=True)
        ]
    )
    return Shown(
        images=float(shown.sum(axis=1).mean()),
        precision_of_all=float(hits.mean()),
        precision=float(hits[shown].mean()),
        hits_kept=float(hits[shown].sum() / max(hits.sum(), 1)),
    )


def _rank(queries: Sequence[Query], scores_of: Callable[[int], NDArray[np.float32]]) -> Ranking:
    standings = []
    for row, query in enumerate(queries):
        scores = scores_of(row)
        hits = scores[sorted(query.hits)]
        best = hits.max()
        standings.append(
            Standing(
                better=int((scores > best).sum()),
                tied=int((scores == best).sum()),
                hits=int((hits == best).sum()),
            )
        )
    return Ranking(standings)


def _shared_words(query: str, words: Sequence[frozenset[str]]) -> NDArray[np.float32]:
    asked = _words(query)
    return np.array([len(asked & known) for known in words], dtype=np.float32)


def _words(text: str) -> frozenset[str]:
    """Lower-case words without suffixes of files, digits, stop words and a plural's s."""
    found = re.findall(r"[^\W\d_]+", re.sub(r"\.\w{2,4}\b", " ", text.lower()))
    return frozenset(word.removesuffix("s") for word in found if word not in _STOP_WORDS)
