"""One image's bytes to all that a build knows of it: embedding, thumbnail, look, what it says.

Every way of embedding images goes through here, so that all of them give the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from build.errors import BuildError
from build.journal_record import Record
from build.metadata import Fields
from build.metadata.embedded import Embedded
from build.room import Room
from models.image_encoder import ImageEncoder
from models.images import DecodedImage, ImageError, read
from models.looks import look_of
from models.model_card import ModelCard
from models.preprocessing import preprocess, reduced_side
from models.thumbnails import thumbnail


@dataclass(frozen=True, slots=True)
class Seen:
    """The record of an image, whether it was made anew, and what was read of the file.

    That is what it says, and how it looks.
    """

    record: Record
    is_new: bool = True
    said: dict[str, Fields] | None = None
    look: bytes | None = None


# What is known of an image by the SHA-256 of its content: all of it, its record, or nothing.
Known = Callable[[bytes], Seen | Record | None]


def see(
    content: Callable[[], bytes],
    size: int,
    name: object,
    card: ModelCard,
    encoder: ImageEncoder | None,
    room: Room,
    known: Known,
) -> Seen:
    """Look at an image; one that is broken gets a record that says why.

    Args:
        content: reads its bytes.
        size: how many there are.
        name: what the image is called, for messages.
        card: the model, for its preprocessing.
        encoder: its image encoder; None makes records without vectors.
        room: memory for what is decoded.
        known: what need not be done again.

    Raises:
        BuildError: the encoder fails on it.
    """
    digest = None
    try:
        with room.place(size) as admit:
            read_bytes = content()
            digest = hashlib.sha256(read_bytes).digest()
            there = known(digest)
            if isinstance(there, Seen):
                return there
            embedded = Embedded()
            decoded = read(
                read_bytes,
                reduce_to=reduced_side(card.preprocessing),
                inspect=embedded.inspect,
                admit=admit,
            )
            record = there or _record(decoded, digest, card, encoder)
            look = look_of(decoded.image)
            return Seen(record, is_new=there is None, said=embedded.fields, look=look)
    except ImageError as error:
        # What is the machine's affair is tried again by every build.
        known_by = digest if error.lasting else None
        return Seen(Record(known_by, reason=error.reason, detail=error.detail))
    except MemoryError:
        return Seen(Record(None, reason="too large", detail="it does not fit into memory"))
    except BuildError:
        raise
    except Exception as error:
        raise BuildError(f"{name}: the model's image encoder fails on it: {error}") from error


def _record(
    decoded: DecodedImage, digest: bytes, card: ModelCard, encoder: ImageEncoder | None
) -> Record:
    vector = None
    if encoder is not None:
        pixels = preprocess(decoded.image, card.preprocessing)
        vector = encoder.encode(pixels[np.newaxis])[0]
        if not np.isfinite(vector).all():
            raise ImageError("no vector", "the encoder's answer is not a number")
    return Record(
        digest,
        width=decoded.width,
        height=decoded.height,
        vector=vector,
        thumbnail=thumbnail(decoded.image),
    )
