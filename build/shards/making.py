"""One shard, from its images to its table: what every engine has its workers do."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from build.caption import Caption
from build.captions import read_beside
from build.errors import BuildError
from build.metadata import Fields
from build.metadata.description import Metadata, description_of
from build.metadata.xmp_sidecars import read_xmp_sidecars
from build.room import Room
from build.scan import ImageFile
from build.seeing import Seen, see
from build.shards.documents import Precision, Shard, mark_finished, shard_name
from build.shards.source import Beside, Source
from build.shards.storage import Storage
from build.shards.table import GROUP, Row, TableWriter
from models.image_encoder import ImageEncoder
from models.manifest import Skipped
from models.model_card import ModelCard

# Images that wait for each thread.
_AHEAD = 4


@dataclass(frozen=True)
class Recipe:
    """How images become rows: the same for all shards."""

    card: ModelCard
    encoder: str
    metadata: Metadata
    precision: Precision


@dataclass(frozen=True)
class Task:
    """A shard that is to be made.

    ``tables`` is what tables at the root say of its images, by path; ``beside`` are the sidecars;
    ``made_of`` is a checksum of all this and of the recipe.
    """

    number: int
    files: Sequence[ImageFile]
    tables: Mapping[str, Caption]
    beside: Beside
    made_of: str


@dataclass(frozen=True)
class Made:
    """A shard that was made, and warnings for the user."""

    shard: Shard
    warnings: Sequence[str]


def make_shard(
    task: Task,
    source: Source,
    output: Storage,
    recipe: Recipe,
    encoder: ImageEncoder,
    threads: int,
    one_done: Callable[[], None] = lambda: None,
) -> Made:
    """Embed the images of a shard and put its table where it belongs.

    Args:
        task: which images.
        source: where they are.
        output: where shards lie.
        recipe: how they are made.
        encoder: the model's, of one thread.
        threads: images that are worked on at once.
        one_done: is called after each image, and may raise to stop.

    Raises:
        BuildError: the encoder fails, or what lies elsewhere cannot be had.
    """
    name = shard_name(task.number)
    skipped: list[Skipped] = []
    file = output.part(name)
    try:
        with (
            source.sidecars(task.beside) as root,
            TableWriter(file, recipe.card.embedding_dim, recipe.precision) as table,
        ):
            beside = _read_beside(root, task, source, recipe.metadata)
            embedded = _see_all(task.files, source, recipe.card, encoder, threads)
            for some in _groups(embedded, one_done):
                skipped += [_skipped(path, seen) for path, seen in some if seen.record.reason]
                there = [(path, seen) for path, seen in some if not seen.record.reason]
                table.add([_row(path, seen, beside, recipe.metadata) for path, seen in there])
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        shard = Shard(
            name=name,
            images=table.count,
            size=file.stat().st_size,
            sha256=sha256,
            made_of=task.made_of,
            skipped=skipped,
        )
        output.put(file, name)
        mark_finished(output, shard)
    except OSError as error:
        raise BuildError(f"{error.filename or file}: {error.strerror or error}.") from None
    finally:
        file.unlink(missing_ok=True)
    return Made(shard, beside.warnings)


def _see_all(
    files: Sequence[ImageFile],
    source: Source,
    card: ModelCard,
    encoder: ImageEncoder,
    threads: int,
) -> Iterator[tuple[str, Seen]]:
    """Each image as it was seen, in order; some are looked at ahead."""
    room = Room()

    def look_at(file: ImageFile) -> Seen:
        name = f"{source.address}/{file.path}"
        return see(
            lambda: source.content(file), file.size, name, card, encoder, room, lambda digest: None
        )

    waiting: deque[tuple[str, Future[Seen]]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for file in files:
            waiting.append((file.path, pool.submit(look_at, file)))
            if len(waiting) >= threads * _AHEAD:
                path, future = waiting.popleft()
                yield path, future.result()
        while waiting:
            path, future = waiting.popleft()
            yield path, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _groups(
    images: Iterator[tuple[str, Seen]], one_done: Callable[[], None]
) -> Iterator[list[tuple[str, Seen]]]:
    some: list[tuple[str, Seen]] = []
    for image in images:
        some.append(image)
        one_done()
        if len(some) == GROUP:
            yield some
            some = []
    if some:
        yield some


@dataclass(frozen=True)
class _Beside:
    """What is said beside images and in tables, by path."""

    captions: Mapping[str, Caption]
    xmp: Mapping[str, Fields]
    warnings: Sequence[str]


def _read_beside(root: Path, task: Task, source: Source, level: Metadata) -> _Beside:
    paths = [file.path for file in task.files]
    captions, warnings = read_beside(root, paths, source.archives, task.tables)
    if level == "none":
        return _Beside(captions, {}, warnings)
    xmp, more = read_xmp_sidecars(root, paths)
    return _Beside(captions, xmp, [*warnings, *more])


def _row(path: str, seen: Seen, beside: _Beside, level: Metadata) -> Row:
    record = seen.record
    told = [beside.captions[path].fields()] if path in beside.captions else []
    said = description_of(seen.said, beside.xmp.get(path, {}), told, level)
    assert record.vector is not None
    assert record.width is not None
    assert record.height is not None
    assert record.sha256 is not None
    return Row(
        path,
        record.vector,
        record.width,
        record.height,
        record.sha256,
        said,
        record.thumbnail,
        seen.look,
    )


def _skipped(path: str, seen: Seen) -> Skipped:
    return Skipped(path=path, reason=seen.record.reason or "", detail=seen.record.detail or "")
