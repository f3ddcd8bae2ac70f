"""What the manifest says of a bundle's answers, measured with texts of the build's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from build.examples import examples
from build.senseless import floor
from build.subject import subject
from build.tags import Tagger
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer
from models.vector_index import VectorIndex


def measured(
    index: VectorIndex,
    tokenizer: Tokenizer,
    text_encoder: TextEncoder,
    tagger: Tagger | None,
    caption_of: Callable[[int], str | None],
) -> dict[str, Any]:
    """The fields ``floor``, ``subject`` and ``examples`` of a manifest.

    Args:
        index: of the images.
        tokenizer: of the model that made their embeddings.
        text_encoder: the same model's.
        tagger: says what an image shows; None where the model cannot tell.
        caption_of: gives the caption of the image at a position, None where it has none.
    """
    if tagger is None:
        return {"floor": None, "subject": None, "examples": []}
    least = floor(index, tokenizer, text_encoder)
    return {
        "floor": least,
        "subject": subject(index, tokenizer, text_encoder),
        "examples": examples(caption_of, index, tokenizer, text_encoder, tagger, least),
    }
