"""How near texts come to the average image: near enough, and a query means all of them.

Whoever asks a folder of dogs for "a dog" means the folder.  Such a query lies about as near to the
average image as any name of a thing does; one that means some of the images, "a black poodle",
lies farther off.
"""

from __future__ import annotations

from build.tags import VOCABULARY, read_vocabulary
from models.manifest import SubjectFacts
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer
from models.vector_index import VectorIndex


def subject(index: VectorIndex, tokenizer: Tokenizer, text_encoder: TextEncoder) -> SubjectFacts:
    """How near the names of things come to the average image.

    Args:
        index: of the images.
        tokenizer: of the model that made their embeddings.
        text_encoder: the same model's.
    """
    # As people ask; a bare word lies somewhat farther from every image.
    texts = [
        f"{'an' if word[0] in 'aeiou' else 'a'} {word}" for word in read_vocabulary(VOCABULARY)
    ]
    similarities = text_encoder.encode(tokenizer.encode(texts)) @ index.mean()
    return SubjectFacts(usual=float(similarities.mean()), most=float(similarities.max()))
