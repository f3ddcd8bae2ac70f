"""A bundle's images into Milvus, and the rest of it into a folder for the service before it.

Images that are there just so are not written again, so a load that was stopped goes on where it
was, and one of a newer bundle writes what has changed.  Those that the bundle does not have are
taken out at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from build.atomic_output import Output, link_or_copy
from build.errors import BuildError
from build.progress import Progress
from models.bundle import Bundle
from models.installation import extra
from models.manifest import IMAGE_ENCODER, INDEX, TEXT_ENCODER, TOKENIZER
from models.milvus.address import Address

if TYPE_CHECKING:
    from models.milvus.writer import IndexKind

# Rows that are sent together: at the most 128 KB each, and a server takes 64 MB.
_AT_ONCE = 256


@dataclass(frozen=True)
class Loaded:
    """How many images were written, were there already, and were taken out."""

    written: int
    kept: int
    removed: int


def load(bundle: Bundle, address: Address, token: str | None, kind: IndexKind | None) -> Loaded:
    """Make a collection in Milvus what a bundle is.

    Args:
        bundle: open.
        address: of the collection, which is made where it is not there.
        token: ``USER:PASSWORD`` or an API key; None where the server asks for none.
        kind: ``flat``, ``hnsw`` or ``diskann``, of a new collection's index; None for what suits
            the number of images.

    Raises:
        BuildError: Milvus refuses, or holds another model's embeddings; an image has too much
            metadata.
        DamagedError: a part of the bundle is not as it was written.
    """
    try:
        from models.milvus.rows import TooLargeError
        from models.milvus.writer import FLAT_UP_TO, RefusedError, Writer
    except ImportError as error:
        raise BuildError(
            f"Milvus needs packages that are not here ({error}): install them with "
            f"{extra('milvus')}"
        ) from None
    total = len(bundle.items)
    suits: IndexKind = "flat" if total <= FLAT_UP_TO else "hnsw"
    try:
        writer = Writer(address, token, bundle.manifest.model, kind or suits)
        written = 0
        with Progress("loading", total, 0) as progress:
            for start in range(0, total, _AT_ONCE):
                positions = np.arange(start, min(start + _AT_ONCE, total))
                items = bundle.items.get(positions.tolist())
                written += writer.add(items, bundle.index.embeddings.rows(positions))
                progress.advance(len(positions))
        gone = []
        if writer.count() != total:
            gone = [
                each
                for some in writer.ids()
                for each in some
                if bundle.items.position_of(each) is None
            ]
            writer.remove(gone)
        writer.close()
    except (RefusedError, TooLargeError) as error:
        raise BuildError(f"{error}") from None
    return Loaded(written, total - written, len(gone))


def write_front(bundle: Bundle, folder: Path) -> None:
    """Write what a service needs that searches elsewhere: a bundle without images.

    Args:
        bundle: open.
        folder: to make, or to replace by another such.

    Raises:
        BuildError: something else is in the way, or the disk refuses.
    """
    names = [TOKENIZER, TEXT_ENCODER, IMAGE_ENCODER]
    files = {name: bundle.manifest.files[name] for name in names if name in bundle.manifest.files}
    manifest = bundle.manifest.model_copy(update={"files": files})
    output = Output(folder)
    there = output.whole_manifest()
    if there is not None and INDEX in there.files:
        raise BuildError(f"{folder} is a whole bundle, and would be replaced. Give another folder.")
    output.recover()
    with output.new_folder() as place:
        for name in files:
            link_or_copy(bundle.folder / name, place / name)
        manifest.write(place)
        output.publish()
