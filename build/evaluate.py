"""How well a model package finds captioned images by their captions.

The model is held against two rankings that need none: chance, and how many of the query's words
the image's path holds.

    >>> images = read_images(Path("stamps/set-b"), card, encoder)
    >>> rankings = evaluate(images, caption_queries(images), text_embeddings)
    >>> rankings.model.recall(5)
    0.41
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from build.archives import Archives
from build.candidates import Images, Query
from build.evaluation_sheet import COLUMNS, Cell, Row, evenly_spread
from build.rankings import RECALL_AT, Ranking, Standing
from models.images import decode
from models.relevance import relevant
from models.thumbnails import thumbnail

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


def evaluate(
    images: Images, queries: Sequence[Query], text_embeddings: NDArray[np.float32]
) -> Evaluation:
    """Rank all images for every query, by the model, by words and by chance.

    Args:
        images: the candidates.
        queries: what is asked.
        text_embeddings: the queries' embeddings, float32 ``[queries, dim]``, of length one.
    """
    similarities = text_embeddings @ images.vectors.T
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
