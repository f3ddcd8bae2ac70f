"""Alt text for images without a caption: the words of a vocabulary that lie nearest.

Zero-shot classification as in CLIP (Radford et al., 2021, section 3.1.4), with the package's
own text encoder and prompts averaged per word.  What an image is called depends on the
model, the vocabulary and this image alone, so that a bundle which grows image by
image is the bundle that one run would have made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer

VOCABULARY = Path(__file__).with_name("data") / "vocabulary.txt"

_PROMPTS = ("{}", "a photo of {}")
_MOST_TAGS = 3
# A further tag lies within this many standard deviations (of the image's similarities
# to the whole vocabulary) of the first, and stands out from chance itself.
_FURTHER = 1.0
# Words nearer to each other than this, their common part taken away, say the same.
_SYNONYM = 0.6


class Tagger:
    """Says what an image probably shows.

        >>> tagger = Tagger(bundle.tokenizer, bundle.text_encoder)
        >>> tagger.alt_texts(vectors)
        ['Probably: tiger, grass']

    Args:
        tokenizer: the tokenizer of the model that made the images' vectors.
        text_encoder: its text encoder.
        words: the vocabulary, most everyday word first; the shipped one by default.

    Raises:
        ValueError: ``words`` is empty.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        text_encoder: TextEncoder,
        words: Sequence[str] | None = None,
    ) -> None:
        self.words = read_vocabulary(VOCABULARY) if words is None else tuple(words)
        if not self.words:
            raise ValueError("a tagger needs at least one word")
        prompts = [prompt.format(word) for word in self.words for prompt in _PROMPTS]
        embedded = text_encoder.encode(tokenizer.encode(prompts))
        by_word = _normalised(embedded.reshape(len(self.words), len(_PROMPTS), -1).mean(axis=1))
        # All texts share a direction, and some words lie nearer to it than others: those
        # would be near to every image.  Without it, each word counts for what is its own.
        common = _normalised(by_word.mean(axis=0, keepdims=True))
        self._directions = _normalised(by_word - (by_word @ common.T) * common)
        self._likeness = self._directions @ self._directions.T

    def alt_texts(self, vectors: NDArray[np.float32]) -> list[str]:
        """The alt text of each image, from its embedding.

        Args:
            vectors: image embeddings of the same model, float32 [n, dim].
        """
        return [f"Probably: {', '.join(tags)}" for tags in self.tags(vectors)]

    def tags(self, vectors: NDArray[np.float32]) -> list[list[str]]:
        """One to three words for each image, the most probable first."""
        # One product an image: within a batch, sums are added in another order, and the
        # last digit could decide between two words.
        return [self._choose(self._directions @ vector) for vector in vectors]

    def _choose(self, similarities: NDArray[np.float32]) -> list[str]:
        # Rounded, so that ties fall to the earlier word on every machine.
        scores = (similarities - similarities.mean()) / max(float(similarities.std()), 1e-6)
        order = np.argsort(-scores.round(4), kind="stable")
        # The largest of n normal deviates lies near sqrt(2 ln n): a word below that is no
        # nearer than the nearest of so many words must be.  This bound made further tags
        # right twice as often.
        chance = math.sqrt(2 * math.log(len(self.words)))
        enough = max(float(scores[order[0]]) - _FURTHER, chance)
        chosen: list[int] = []
        for word in order:
            if len(chosen) == _MOST_TAGS or (chosen and scores[word] < enough):
                break
            if not any(self._same(int(word), other) for other in chosen):
                chosen.append(int(word))
        return [self.words[word] for word in chosen]

    def _same(self, one: int, other: int) -> bool:
        """Whether two words say nearly the same: guitar, acoustic guitar."""
        parts = set(self.words[one].split()) & set(self.words[other].split())
        return bool(parts) or bool(self._likeness[one, other] > _SYNONYM)


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """The words of a vocabulary file: separated by commas, ``#`` starts a comment line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    words = (word.strip() for line in lines if not line.startswith("#") for word in line.split(","))
    return tuple(dict.fromkeys(word for word in words if word))


def _normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-6)).astype(np.float32)
    return unit
