"""Searches to begin with: what people can see is asked for is there, and is found.

Each is the caption of an image, or without a short one its tag, that finds this very image.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from build.tags import Tagger
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer
from models.vector_index import VectorIndex

_MOST = 4
# Images that are looked at.
_SAMPLE = 200
# A caption that is longer, in characters, is no search that anybody would type.
_LONGEST = 40
# The image has to be among so many that its words find.
_AMONG = 3


def examples(
    captions: Mapping[int, str],
    vectors: NDArray[np.float32],
    index: VectorIndex,
    tokenizer: Tokenizer,
    text_encoder: TextEncoder,
    tagger: Tagger,
    floor: float | None,
) -> list[str]:
    """A few searches that find something, as unlike each other as can be.

    Args:
        captions: of the images that have one, by position.
        vectors: float32 ``[n, dim]``, a row for each image.
        index: of the images.
        tokenizer: of the model that made their embeddings.
        text_encoder: the same model's.
        tagger: says what an image shows that has no short caption.
        floor: the similarity below which nothing is found (:mod:`build.senseless`).
    """
    some = random.Random(0).sample(range(len(vectors)), min(len(vectors), _SAMPLE))
    image_of: dict[str, int] = {}
    for position in some:
        caption = captions.get(position, "")
        short = 0 < len(caption) <= _LONGEST
        text = caption if short else tagger.tags(vectors[[position]])[0][0]
        image_of.setdefault(text, position)
    if not image_of:
        return []
    texts = list(image_of)
    embedded = text_encoder.encode(tokenizer.encode(texts))
    similarities, found = index.search(embedded, _AMONG)
    least = -np.inf if floor is None else floor
    good = [
        row
        for row, text in enumerate(texts)
        if similarities[row, 0] >= least and image_of[text] in found[row]
    ]
    if not good:
        return []
    alike = embedded @ embedded.T
    chosen = [max(good, key=lambda row: float(similarities[row, 0]))]
    while len(chosen) < min(_MOST, len(good)):
        left = [row for row in good if row not in chosen]
        chosen.append(min(left, key=lambda row: float(alike[row, chosen].max())))
    return [texts[row] for row in chosen]
