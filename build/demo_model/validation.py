"""How much the student finds of the demo's gallery, which the training never sees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import nn

from build.captions import read_captions
from build.demo_model.features import extract
from build.demo_model.student import encode
from build.evaluate import Images, read_queries

# Questions about the gallery; no choice goes by those about the stamps.
GALLERY_QUESTIONS = Path(__file__).with_name("gallery_questions.json")


@dataclass(frozen=True)
class Validation:
    """Captioned images that training does not see: their features, and by kind the
    queries with their hits."""

    features: torch.Tensor
    queries: dict[str, list[tuple[str, list[int]]]]


def read_validation(backbone: nn.Module, gallery: Path, work: Path) -> Validation:
    """Read the gallery: its captions are queries, and so are the questions about it."""
    suffixes = {".jpg", ".png", ".webp"}
    paths = sorted(path for path in gallery.rglob("*") if path.suffix in suffixes)
    names = [path.relative_to(gallery).as_posix() for path in paths]
    captions, _ = read_captions(gallery, names)
    hits: dict[str, dict[str, list[int]]] = {"drawing": {}, "photograph": {}}
    for row, name in enumerate(names):
        caption = captions.get(name)
        if caption and caption.text and caption.metadata.get("kind") in hits:
            hits[caption.metadata["kind"]].setdefault(caption.text, []).append(row)
    features = extract(backbone, paths, None, work / "features-gallery.npy")
    queries = {kind: list(by_caption.items()) for kind, by_caption in hits.items()}
    candidates = Images(gallery, names, features, [None] * len(names), [])
    queries["question"] = [
        (query.text, sorted(query.hits)) for query in read_queries(GALLERY_QUESTIONS, candidates)
    ]
    return Validation(torch.from_numpy(features), queries)


@torch.no_grad()
def validate(
    vectors: torch.Tensor, validation: Validation, student: nn.Module, tokenizer: SimpleTokenizer
) -> dict[str, float]:
    """The mean of R@1, R@5 and R@10 in percent, for drawings, photographs and questions."""
    scores = {}
    for kind, queries in validation.queries.items():
        texts = torch.from_numpy(encode(student, tokenizer, [text for text, _ in queries]))
        similarities = texts @ vectors.T
        ranks = np.array(
            [
                int((row > row[hits].max()).sum()) + 1
                for row, (_, hits) in zip(similarities, queries, strict=True)
            ]
        )
        scores[kind] = round(100 * float(np.mean([(ranks <= k).mean() for k in (1, 5, 10)])), 2)
    return scores
