"""How near an image comes to a query that means nothing: what is no nearer is no match.

What a similarity means differs from model to model and from collection to collection.  Queries
that nobody means tell both at once: words of random letters, each with the image that happens
to lie nearest to it.
"""

from __future__ import annotations

import random
import string

import numpy as np

from build.tags import VOCABULARY, read_vocabulary
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer
from models.vector_index import VectorIndex

_QUERIES = 1000
_LETTERS = (3, 9)
# So many senseless queries stay below the floor.
_BELOW = 0.96
# Of everyday words some must be above it, whatever the collection shows: of the embedded gallery's
# folders the poorest, of animals alone, has 21 %.  A model that knows nothing has 4 %.
_WORDS_ABOVE = 0.12


def floor(index: VectorIndex, tokenizer: Tokenizer, text_encoder: TextEncoder) -> float | None:
    """The similarity that an image has to reach to be a match at all.

    Args:
        index: of the images.
        tokenizer: of the model that made their embeddings.
        text_encoder: the same model's.

    Returns:
        None where the model cannot tell words from letters.
    """

    def nearest(texts: list[str]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        similarities, _ = index.search(text_encoder.encode(tokenizer.encode(texts)), 1)
        best: np.ndarray[tuple[int], np.dtype[np.float32]] = similarities[:, 0]
        return best

    found = float(np.quantile(nearest(_senseless()), _BELOW))
    words = nearest(list(read_vocabulary(VOCABULARY)))
    return found if float((words >= found).mean()) >= _WORDS_ABOVE else None


def _senseless() -> list[str]:
    chance = random.Random(0)
    return [
        "".join(chance.choices(string.ascii_lowercase, k=chance.randint(*_LETTERS)))
        for _ in range(_QUERIES)
    ]
