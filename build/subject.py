"""How near texts come to the average picture: near enough, and a query means all of them.

Whoever asks a folder of dogs for "a dog" means the folder.  Such a query lies about as near to the
average picture as any name of a thing does; one that means some of the pictures, "a black poodle",
lies farther off.
"""

from __future__ import annotations

from build.tags import VOCABULARY, read_vocabulary
from models.index import VectorIndex
from models.manifest import SubjectFacts
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer


def subject(index: VectorIndex, tokenizer: Tokenizer, text_encoder: TextEncoder) -> SubjectFacts:
    """How near the names of things come to the average picture.

    Args:
        index: of the pictures.
        tokenizer: of the model that made their embeddings.
        text_encoder: the same model's.
    """
    # As people ask; a bare word lies somewhat farther from every picture.
    texts = [
        f"{'an' if word[0] in 'aeiou' else 'a'} {word}" for word in read_vocabulary(VOCABULARY)
    ]
    similarities = text_encoder.encode(tokenizer.encode(texts)) @ index.mean()
    return SubjectFacts(usual=float(similarities.mean()), most=float(similarities.max()))
