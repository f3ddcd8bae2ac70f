"""A bundle written anew from another one and from what comes and goes: no file of it is shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from build.assemble import tuning_texts, write_parts
from build.changed_files import Coming
from build.made_of import FORM
from build.moves import Moves
from build.senseless import floor
from build.subject import subject
from models.bundle import Bundle
from models.checksums import record_files
from models.file_names import TUNING
from models.items import Item
from models.manifest import Manifest
from models.tuning import TARGET_RECALL, Tuning
from models.vector_index import EXACT_UP_TO

_AT_ONCE = 4096


def write_renewed(old: Bundle, moves: Moves, coming: Coming, folder: Path) -> Manifest:
    """Write a bundle into an empty folder, its images in the order of their paths.

    Args:
        old: the bundle as it was, open.
        moves: what is to change.
        coming: what comes.
        folder: where to.

    Returns:
        The manifest, which is not written yet.

    Raises:
        DamagedError: a part of the old bundle is not as it was written.
    """
    manifest = old.manifest
    stays = np.flatnonzero(moves.now_at >= 0)
    # From 0: those of the bundle; from its number of images: those that come.
    count = len(moves.now_at)
    paths = [item.image_path for item in coming.items]
    by_path = {path: count + at for at, path in enumerate(paths)}
    for some in _some(stays):
        by_path |= {item.image_path: item.position for item in old.items.get(some.tolist())}
    order = np.array([by_path[path] for path in sorted(by_path)], dtype=np.int64)
    vectors = np.empty((len(order), old.index.dim), dtype=np.float32)
    for start in range(0, len(order), _AT_ONCE):
        of = order[start : start + _AT_ONCE]
        there = of < count
        to = vectors[start : start + _AT_ONCE]
        to[there] = old.index.embeddings.rows(of[there])
        to[~there] = coming.vectors[of[~there] - count]

    def items() -> Iterator[Item]:
        position = 0
        for some in _some(order):
            known = {item.position: item for item in old.items.get(some[some < count].tolist())}
            for of in some.tolist():
                item = known[of] if of < count else coming.items[of - count]
                yield replace(item, position=position)
                position += 1

    def thumbnails() -> Iterator[bytes | None]:
        assert old.thumbnails is not None
        for of in order.tolist():
            yield old.thumbnails.get(of) if of < count else coming.thumbnail(of - count)

    def looks() -> Iterator[bytes | None]:
        for of in order.tolist():
            if of >= count:
                yield coming.looks[of - count]
            else:
                yield None if old.looks is None else old.looks.look(of)

    tuning = Tuning.load(old.folder) if TUNING in manifest.files else None
    index, files = write_parts(
        folder,
        vectors,
        manifest.index.metric,
        _queries(old, tuning, len(order), items),
        items(),
        thumbnails(),
        looks(),
        old.folder,
        TARGET_RECALL if tuning is None else tuning.target,
    )
    measured: dict[str, Any] = {}
    if manifest.model.pretrained != "random":
        measured = {
            "floor": floor(index, old.tokenizer, old.text_encoder),
            "subject": subject(index, old.tokenizer, old.text_encoder),
        }
    return manifest.model_copy(
        update={
            "index": index.facts,
            "images": len(order),
            "mean": index.mean().tolist(),
            "made_of": "",
            "form": FORM,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": record_files(folder, files),
        }
        | measured
    )


def _some(of: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(of), _AT_ONCE):
        yield of[start : start + _AT_ONCE]


def _queries(
    old: Bundle, tuning: Tuning | None, count: int, items: Callable[[], Iterator[Item]]
) -> NDArray[np.float32] | None:
    """What an index of codes is tuned with: the same as before, or texts such as users may ask."""
    if tuning is not None:
        return np.concatenate([tuning.queries, tuning.others])
    if count <= EXACT_UP_TO:
        return None
    texts = tuning_texts(item.caption for item in items())
    return old.text_encoder.encode(old.tokenizer.encode(texts))
