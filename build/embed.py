"""Image files to vectors and thumbnails, as fast as the machine's cores allow.

A thread for each core takes an image all the way from the disk to its vector.  Pillow,
hashlib and onnxruntime let other threads run meanwhile, so decoding and encoding overlap
by themselves.  Each image goes through the encoder alone and in one thread: that is as
fast as batches here (the image towers multiply matrices of many rows anyway), and a
vector depends on nothing but its image, whatever was embedded before a build was stopped.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from build.errors import BuildError
from build.interrupts import held
from build.journal import Journal, Record
from build.metadata import Fields
from build.metadata.embedded import READING, Embedded
from build.progress import Progress
from build.room import Room
from build.scan import ImageFile
from models.image_encoder import ImageEncoder
from models.images import DecodedImage, ImageError, read, read_content
from models.looks import look_of
from models.manifest import IMAGE_ENCODER, ModelCard
from models.preprocessing import preprocess, reduced_side
from models.thumbnails import thumbnail

# Part of what a vector depends on: to be raised when models/images.py or models/preprocessing.py
# sees an image otherwise than before, or models/thumbnails.py makes another thumbnail of it.
DECODING = 3
NO_ENCODER = "none"
_COMMIT_SECONDS = 0.2
_AHEAD = 4


def encoder_identity(card: ModelCard) -> str:
    """What an image's vector depends on besides the image, as a hash."""
    parts = (
        card.files[IMAGE_ENCODER].sha256,
        card.preprocessing.model_dump_json(),
        str(DECODING),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def embed(
    root: Path,
    files: Sequence[ImageFile],
    scanned_ns: int,
    journal: Journal,
    card: ModelCard,
    encoder: ImageEncoder | None,
    threads: int,
    content_of: Callable[[Path], bytes] = read_content,
) -> set[str]:
    """See to it that the journal has a record of each file.

    Args:
        root: the tree of the files.
        files: the images, as a scan found them.
        scanned_ns: when the scan began.
        journal: where records are looked up and put.
        card: the model, for its preprocessing.
        encoder: its image encoder, of one thread; None makes records without vectors.
        threads: how many images are worked on at once.
        content_of: gives the bytes of the image at a path.

    Returns:
        The paths of those whose record was made anew, not found in the journal.
    """
    fresh: set[str] = set()
    unknown = [file for file in files if not journal.knows(file, READING)]
    what = "embedding" if encoder else "reading"
    with (
        Progress(what, len(files), len(files) - len(unknown)) as progress,
        held() as let_through,
        ThreadPoolExecutor(threads) as pool,
    ):
        running: dict[Future[_Seen], ImageFile] = {}
        room = Room()
        committed = time.monotonic()

        def collect(futures: set[Future[_Seen]]) -> None:
            nonlocal committed
            for future in futures:
                file = running.pop(future)
                seen = future.result()
                journal.put(file, seen.record, scanned_ns)
                if seen.said is not None and seen.record.sha256 is not None:
                    journal.put_said(seen.record.sha256, READING, seen.said)
                if seen.look is not None and seen.record.sha256 is not None:
                    journal.put_look(seen.record.sha256, seen.look)
                if seen.is_new:
                    fresh.add(file.path)
                progress.advance()
            if time.monotonic() - committed > _COMMIT_SECONDS:
                journal.commit()
                committed = time.monotonic()

        for file in unknown:
            let_through()
            future = pool.submit(_look_at, root, file, content_of, journal, card, encoder, room)
            running[future] = file
            if len(running) >= threads * _AHEAD:
                collect(wait(running, return_when=FIRST_COMPLETED).done)
        collect(wait(running).done)
        journal.commit()
    return fresh


@dataclass(frozen=True, slots=True)
class _Seen:
    """The record of a file, whether it was made anew, and what was read of the file.

    That is what it says, and how it looks.
    """

    record: Record
    is_new: bool = True
    said: dict[str, Fields] | None = None
    look: bytes | None = None


def _look_at(
    root: Path,
    file: ImageFile,
    content_of: Callable[[Path], bytes],
    journal: Journal,
    card: ModelCard,
    encoder: ImageEncoder | None,
    room: Room,
) -> _Seen:
    digest = None
    try:
        with room.place(file.size) as admit:
            content = content_of(root / file.path)
            digest = hashlib.sha256(content).digest()
            known = journal.with_content(digest)
            if known is not None and (known.reason or journal.said(digest, READING) is not None):
                return _Seen(known, is_new=False)
            embedded = Embedded()
            decoded = read(
                content,
                reduce_to=reduced_side(card.preprocessing),
                inspect=embedded.inspect,
                admit=admit,
            )
            record = known or _see(decoded, digest, card, encoder)
            look = look_of(decoded.image)
            return _Seen(record, is_new=known is None, said=embedded.fields, look=look)
    except ImageError as error:
        # What is the machine's affair is tried again by every build.
        known_by = digest if error.lasting else None
        return _Seen(Record(known_by, reason=error.reason, detail=error.detail))
    except MemoryError:
        return _Seen(Record(None, reason="too large", detail="it does not fit into memory"))
    except Exception as error:
        raise BuildError(
            f"{root / file.path}: the model's image encoder fails on it: {error}"
        ) from error


def _see(
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
