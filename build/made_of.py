"""What a bundle is made of, as one checksum: made of the same again, it would be the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from models.manifest import Skipped

# To be raised when the same images and words are to make another bundle.
FORM = 11
_SIDECARS = (".txt", ".json", ".xmp")
TABLES = ("captions.csv", "metadata.jsonl")
# What is larger is no sidecar (build/captions.py, build/metadata/xmp.py): its times will do.
_LARGEST_SIDECAR = 8 << 20


def made_of(
    settings: dict[str, Any],
    images: Iterable[tuple[str, bytes]],
    skipped: Iterable[Skipped],
    sidecars: Iterable[tuple[str, bytes]],
) -> str:
    """A checksum of all that a bundle is made of, 64 hex digits.

    Args:
        settings: how it is made, as JSON: the model, the libraries, the options.
        images: paths and the SHA-256 of their content, in order.
        skipped: images that are not in it.
        sidecars: paths and the SHA-256 of what may say something of images, in order.
    """
    digest = hashlib.sha256()

    def add(*parts: str) -> None:
        digest.update(json.dumps(parts).encode())

    add("made", str(FORM), json.dumps(settings, sort_keys=True))
    for path, sha256 in images:
        add("picture", path, sha256.hex())
    for each in skipped:
        add("skipped", each.path, each.reason, each.detail)
    for path, sha256 in sidecars:
        add("sidecar", path, sha256.hex())
    return digest.hexdigest()


def sidecars(root: Path, images: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The files beside images that may say something of them, and the SHA-256 of each."""
    folders = sorted({str(PurePosixPath(image).parent) for image in images} | {"."})
    for folder in folders:
        try:
            with os.scandir(root / folder) as entries:
                names = sorted(entry.name for entry in entries if _may_say_something(entry.name))
        except OSError:
            continue
        for name in names:
            path = root / folder / name
            try:
                yield f"{folder}/{name}", checksum(path, whole=name.lower() in TABLES)
            except OSError:
                continue


def _may_say_something(name: str) -> bool:
    return is_sidecar(name) or name.lower() in TABLES


def is_sidecar(name: str) -> bool:
    """Whether a file, by its name, may say something of the image beside it."""
    return name.lower().endswith(_SIDECARS)


def checksum(path: Path, *, whole: bool = False) -> bytes:
    """The SHA-256 of a sidecar; of one that is too large, unless ``whole``, of its state.

    Raises:
        OSError: it cannot be read.
    """
    facts = path.stat()
    if facts.st_size > _LARGEST_SIDECAR and not whole:
        return hashlib.sha256(f"{facts.st_size} {facts.st_mtime_ns}".encode()).digest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()
