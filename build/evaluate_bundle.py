"""How much a bundle's search finds, as users get it, and what each part of it adds.

Every question is asked of the bundle's own index and words, in each way of asking:

- ``image``: by looks alone, which is the service's mode ``image``;
- ``text``: by words alone; ``auto``: by both, put together by ranks (:mod:`models.fusion`);
- the same with the mean of some templates, ``a photo of …``, in place of the question's embedding.

Embeddings of images are those in the bundle: no image is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from build.evaluation_sheet import COLUMNS, Cell, Row, evenly_spread
from build.figures import Figures, gain
from build.progress import Progress
from build.questions import Question
from models.bundle import Bundle
from models.fusion import Fused, Mode, fuse, named_in, rankings_of
from models.wording import undressed
from models.words import Named

ALL = "all"
# How far a page can be turned in the service, which fuses as many.
DEPTH = 1100
# CLIP's own choice of seven, for photographs and for what is drawn
# (openai/CLIP, notebooks/Prompt_Engineering_for_ImageNet.ipynb).
TEMPLATES = (
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)
_TEMPLATED = ", templates"

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Answers:
    """What one way finds: for each question the images, best first, and the first hit's rank.

    ``ranks`` is float64 ``[questions]``, from 1, infinite where no hit was found.
    """

    found: list[list[Fused]]
    ranks: NDArray[np.float64]


@dataclass(frozen=True)
class BundleEvaluation:
    """The answers of each way to all questions."""

    images: int
    questions: list[Question]
    answers: dict[str, Answers]

    def figures(self) -> dict[str, dict[str, Figures]]:
        """Of all questions and of each kind, where there are several, by kind and way."""
        kinds = list(dict.fromkeys(question.kind for question in self.questions))
        if len(kinds) > 1:
            kinds = [ALL, *kinds]
        return {
            kind: {
                way: Figures.of(answers.ranks[self._rows(kind)])
                for way, answers in self.answers.items()
            }
            for kind in kinds
        }

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` writes; shares of one, intervals of 95 %."""
        return {
            "images": self.images,
            "questions": len(self.questions),
            "kinds": {
                kind: {
                    "questions": int(self._rows(kind).sum()),
                    "ways": {way: figures.as_json() for way, figures in ways.items()},
                }
                for kind, ways in self.figures().items()
            },
        }

    def table(self) -> str:
        """Every kind and way; percent, and in brackets where 95 % of new samples would lie."""
        width = max(len(way) for way in self.answers) + 2
        lines = [f"{'':{width}}{Figures.heading()}"]
        for kind, ways in self.figures().items():
            lines.append(f"{kind}, {int(self._rows(kind).sum())} questions")
            lines += [f"  {way:{width - 2}}{figures.row()}" for way, figures in ways.items()]
        if {"image", "auto"} <= self.answers.keys():
            image, auto = (self.answers[way].ranks for way in ("image", "auto"))
            lines.append(f"\nR@5 of auto over that of image, points: {gain(image, auto, 5)}")
        return "\n".join(lines)

    def _rows(self, kind: str) -> NDArray[np.bool_]:
        return np.array([kind in (ALL, question.kind) for question in self.questions])


def evaluate_bundle(
    bundle: Bundle, questions: Sequence[Question], *, by_words: bool = True
) -> BundleEvaluation:
    """Ask a bundle all questions, in each way.

    Args:
        bundle: what is asked.
        questions: at least one.
        by_words: False where the questions are what is said of the images, which their words
            would find without fail.
    """
    texts = [question.text for question in questions]
    plain, templated = embed(bundle, texts), embed(bundle, texts, TEMPLATES)
    ways: dict[str, tuple[Mode, Vectors]] = {"image": ("image", plain)}
    if by_words:
        ways |= {"text": ("text", plain), "auto": ("auto", plain)}
    ways |= {
        f"{way}{_TEMPLATED}": (mode, templated)
        for way, (mode, _) in list(ways.items())
        if mode != "text"
    }
    with Progress("asking", len(ways) * len(questions), 0, "questions") as progress:
        answers = {
            way: _answers(questions, search(bundle, texts, vectors, mode), progress.advance)
            for way, (mode, vectors) in ways.items()
        }
    return BundleEvaluation(bundle.collection.count(), list(questions), answers)


def sheet_rows(bundle: Bundle, evaluation: BundleEvaluation) -> list[Row]:
    """What the sheet shows of some questions: what is found as users get it."""
    answers = evaluation.answers.get("auto", evaluation.answers["image"])
    rows = []
    for number in evenly_spread(len(evaluation.questions)):
        question = evaluation.questions[number]
        first = answers.found[number][:COLUMNS]
        items = bundle.collection.get([one.position for one in first])
        cells = [
            Cell(
                path=item.image_path,
                alt_text=item.alt_text,
                why=_told(one),
                hit=one.position in question.hits,
                webp=bundle.thumbnail(item),
            )
            for one, item in zip(first, items, strict=True)
        ]
        rank = answers.ranks[number]
        note = "not found" if np.isinf(rank) else f"found at {rank:.0f}"
        rows.append(Row(question.text, f"{question.kind}, {note}", cells))
    return rows


def embed(bundle: Bundle, texts: Sequence[str], templates: Sequence[str] = ("{}",)) -> Vectors:
    """Each text's embedding, the mean over templates; float32 ``[texts, dim]`` of length one."""
    mean = np.zeros((len(texts), bundle.collection.dim), dtype=np.float32)
    for template in templates:
        written = [template.replace("{}", undressed(text)) for text in texts]
        mean += bundle.text_encoder.encode(bundle.tokenizer.encode(written))
    unit: Vectors = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return unit


def search(
    bundle: Bundle, texts: Sequence[str], vectors: Vectors, mode: Mode
) -> Iterator[list[Fused]]:
    """What the service finds for each text, best first.

    Args:
        bundle: what is searched.
        texts: as they are typed.
        vectors: of the texts, float32 ``[texts, dim]``.
        mode: how to find.
    """
    collection = bundle.collection
    for text, vector in zip(texts, vectors, strict=True):
        named, kept = Named({}), None
        if mode != "image":
            named, kept = named_in(collection, text, mode)
        _, near = collection.search(vector[np.newaxis], DEPTH, kept)
        yield fuse(rankings_of(mode, named, near[0][near[0] >= 0].tolist()))


def _answers(
    questions: Sequence[Question], found: Iterator[list[Fused]], advance: Callable[[], None]
) -> Answers:
    answers = []
    ranks = np.full(len(questions), np.inf)
    for number, (question, best) in enumerate(zip(questions, found, strict=True)):
        answers.append(best)
        for rank, one in enumerate(best, start=1):
            if one.position in question.hits:
                ranks[number] = rank
                break
        advance()
    return Answers(answers, ranks)


def _told(one: Fused) -> str:
    ranks = ", ".join(f"{name} {rank}" for name, rank in one.matched.items())
    return f"score {one.score:.4f}: {ranks}"
