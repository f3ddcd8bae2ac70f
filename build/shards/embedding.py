"""Images to shards: which are to be made, who makes them, and the manifest of all."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Literal, Protocol

from build.assemble import versions
from build.embed import encoder_identity
from build.errors import BuildError
from build.interrupts import held
from build.metadata.description import Metadata
from build.metadata.embedded import READING
from build.packages import Package, open_package
from build.progress import Progress
from build.shards.documents import (
    MANIFEST,
    Precision,
    Shard,
    ShardsManifest,
    finished,
    forget,
    is_shard,
    shard_name,
)
from build.shards.making import Made, Recipe, Task, make_shard
from build.shards.source import FolderSource, Found, RemoteSource, Source
from build.shards.storage import Storage, is_address, plain, storage_at
from build.shards.table import arrow
from models import machine
from models.file_names import IMAGE_ENCODER
from models.graph import Device
from models.image_encoder import ImageEncoder

# To be raised when the same images and words are to make another table.
_FORM = 1
_NAMED_WARNINGS = 10

EngineName = Literal["local", "ray"]


@dataclass(frozen=True)
class EmbedOptions:
    """What is to become shards; see ``python -m build embed --help``."""

    images: str
    output: str
    model: Path
    engine: EngineName = "local"
    workers: int | None = None
    device: Device = "cpu"
    shard_size: int = 10_000
    precision: Precision = "float32"
    metadata: Metadata = "basic"
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()


@dataclass(frozen=True)
class Embedded:
    """What a run did: ``made`` of the shards anew, and which images are in none."""

    manifest: ShardsManifest
    made: int
    unread: Counter[str]


# Is told of so many more images that are done, and may raise to stop.
Step = Callable[[int], None]


class Engine(Protocol):
    """Who makes shards."""

    def make(self, tasks: Iterator[Task], step: Step) -> Iterator[Made]:
        """Make shards, and give each when it is where it belongs, in any order.

        Raises:
            BuildError: one cannot be made.
        """


class LocalEngine:
    """Makes one shard after the other in this process, with so many images at once."""

    def __init__(
        self,
        source: Source,
        output: Storage,
        recipe: Recipe,
        encoder: ImageEncoder,
        threads: int,
    ) -> None:
        self._of_all = source, output, recipe, encoder, threads

    def make(self, tasks: Iterator[Task], step: Step) -> Iterator[Made]:
        """Make shards; see :class:`Engine`."""
        for task in tasks:
            yield make_shard(task, *self._of_all, lambda: step(1))


def embed_shards(options: EmbedOptions) -> Embedded:
    """Embed all images into shards, but for what is finished.

    Raises:
        BuildError: names what is wrong and what to do.
        DamagedError: names the file of the model package that is not whole, or what this machine
            computes otherwise than the model's makers.
    """
    arrow()
    on_ray = options.engine == "ray"
    package = open_package(
        options.model, image_threads=None if on_ray else 1, device=options.device
    )
    card = package.card
    recipe = Recipe(card, encoder_identity(card), options.metadata, options.precision)
    source, output = _source(options.images), storage_at(options.output)
    found = source.find(options.include, options.exclude)
    total = len(found.scan.images)
    if not total:
        raise BuildError(f"{options.images} holds no images that can be read here.")
    warnings = [*found.warnings]
    there: dict[str, Shard] = {}
    made_anew = 0
    with Progress("embedding", total, 0, "images") as progress, held() as let_through:

        def step(count: int) -> None:
            progress.advance(count)
            let_through()

        tasks = _left(_tasks(source, found, recipe, options.shard_size), output, there, step)
        if first := next(tasks, None):
            output.remove(MANIFEST)
            engine = _engine(options, source, output, recipe, package)
            for made in engine.make(chain([first], tasks), step):
                there[made.shard.name] = made.shard
                made_anew += 1
                warnings += made.warnings
    _tell(warnings)
    for name in output.names():
        if is_shard(name) and name not in there:
            forget(output, name)
    output.tidy()
    manifest = _manifest(source, recipe, found, [there[name] for name in sorted(there)])
    output.write(MANIFEST, manifest.model_dump_json(indent=1).encode())
    return Embedded(manifest, made_anew, found.scan.unread)


def _left(
    tasks: Iterator[Task], output: Storage, there: dict[str, Shard], step: Step
) -> Iterator[Task]:
    """The shards that are to be made; those that are finished are put into ``there``."""
    for task in tasks:
        name = shard_name(task.number)
        shard = finished(output, name)
        if shard and shard.made_of == task.made_of and output.size(name) == shard.size:
            there[name] = shard
            step(len(task.files))
        else:
            yield task


def _tasks(source: Source, found: Found, recipe: Recipe, size: int) -> Iterator[Task]:
    settings = [
        str(_FORM),
        recipe.encoder,
        recipe.metadata,
        recipe.precision,
        str(READING),
    ]
    files = found.scan.images
    for number, start in enumerate(range(0, len(files), size)):
        some = files[start : start + size]
        paths = [file.path for file in some]
        tables = {path: found.tables[path] for path in paths if path in found.tables}
        beside = source.beside(paths)
        digest = hashlib.sha256("\0".join(settings).encode())
        for file in some:
            digest.update(json.dumps(astuple(file)).encode())
        for path, caption in tables.items():
            digest.update(json.dumps([path, astuple(caption)]).encode())
        for path, checksum in beside:
            digest.update(json.dumps([path, checksum.hex()]).encode())
        yield Task(number, some, tables, beside, digest.hexdigest())


def _source(images: str) -> Source:
    return RemoteSource(images) if is_address(images) else FolderSource(Path(plain(images)))


def _engine(
    options: EmbedOptions, source: Source, output: Storage, recipe: Recipe, package: Package
) -> Engine:
    if options.engine == "ray":
        from build.shards.on_ray import RayEngine

        graph = (package.folder / IMAGE_ENCODER).read_bytes()
        return RayEngine(source, output, recipe, graph, options.workers, options.device)
    assert package.image_encoder is not None
    threads = options.workers or machine.cores()
    return LocalEngine(source, output, recipe, package.image_encoder, threads)


def _manifest(
    source: Source, recipe: Recipe, found: Found, shards: Sequence[Shard]
) -> ShardsManifest:
    skipped = [*found.scan.skipped, *(each for shard in shards for each in shard.skipped)]
    return ShardsManifest(
        model=recipe.card,
        encoder=recipe.encoder,
        images=source.address,
        metadata=recipe.metadata,
        precision=recipe.precision,
        count=sum(shard.images for shard in shards),
        shards=[shard.model_copy(update={"skipped": []}) for shard in shards],
        skipped=sorted(skipped, key=lambda each: each.path),
        versions=versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _tell(warnings: Sequence[str]) -> None:
    for warning in warnings[:_NAMED_WARNINGS]:
        print(f"warning: {warning}", file=sys.stderr)
    if len(warnings) > _NAMED_WARNINGS:
        print(f"... and {len(warnings) - _NAMED_WARNINGS} more warnings", file=sys.stderr)
