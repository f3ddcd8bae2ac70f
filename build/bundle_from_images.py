"""Images and a model package to a bundle."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from build.archives import Archives
from build.assemble import Images, assemble, versions
from build.atomic_output import Output
from build.captioner import CaptionModel, find_captioner
from build.embed import NO_ENCODER, embed, encoder_identity
from build.errors import BuildError
from build.existing_embeddings import read_given, read_vectors
from build.journal import Journal
from build.made_of import made_of, sidecars
from build.metadata.description import Metadata
from build.ocr import find_reader, identity
from build.packages import Package, open_package
from build.scan import look_up, sample, scan
from models import machine
from models.formats import extra_for
from models.index_file import Metric
from models.installation import extra as how_to_install
from models.manifest import Manifest, ModelCard, OcrFacts, Skipped


@dataclass(frozen=True)
class IndexOptions:
    """What a bundle is to be made of; see ``python -m build index --help``."""

    output: Path
    model: Path
    images: Path | None = None
    metric: Metric = "ip"
    sample_size: int | None = None
    seed: int = 0
    embeddings: Path | None = None
    paths: Path | None = None
    threads: int | None = None
    captioner: str | None = None
    ocr: bool = False
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    prune: bool = False
    metadata: Metadata = "basic"


@dataclass(frozen=True)
class Outcome:
    """What a build did: how many images it found, embedded anew, took over, skipped.

    ``unread`` counts, by suffix, what looks like an image and is not read; ``gone`` are known
    from earlier builds and were not found.
    """

    folder: Path
    found: int
    embedded: int
    reused: int
    skipped: Counter[str]
    unread: Counter[str]
    gone: int
    without_file: int
    changed: bool


def build_index(options: IndexOptions) -> Outcome:
    """Make or renew a bundle.

    Raises:
        BuildError: names what is wrong and what to do.
        DamagedError: names the file of the model package that is not whole, or what this
            machine computes otherwise than the model's makers.
    """
    given = options.embeddings is not None
    if not given and options.images is None:
        raise BuildError("no images: give --images DIR, or --embeddings with --paths.")
    package = open_package(
        options.model, text_threads=_threads(options), image_threads=None if given else 1
    )
    # Before the images are embedded, so that what is missing does not show hours later.
    captioner = None if options.captioner is None else find_captioner(options.captioner)
    ocr = find_reader() if options.ocr else None
    output = Output(options.output)
    root = options.images.resolve() if options.images else None
    encoder = NO_ENCODER if given else encoder_identity(package.card)
    try:
        with Journal(output.journal, encoder, root) as journal:
            output.recover()
            old = output.whole_manifest()
            if given:
                images, checksum = given_images(options, package.card, journal), ""
            else:
                found = _find(options, package, journal)
                checksum = _made_of(options, package, captioner, ocr, found)
                # To read every vector and thumbnail of a large tree takes longer than all else.
                if old is not None and old.made_of == checksum:
                    return _outcome(options, found, changed=False)
                images = _with_vectors(found, journal, package.card.embedding_dim)
            with output.new_folder() as new:
                manifest = assemble(
                    new,
                    images,
                    package=package,
                    metric=options.metric,
                    root=options.images,
                    journal=journal,
                    threads=_threads(options),
                    captioner=captioner,
                    ocr=ocr,
                    metadata=options.metadata,
                    made_of=checksum,
                )
                changed = not _same(manifest, old)
                if changed:
                    output.publish()
    except sqlite3.Error as error:
        raise BuildError(
            f"{output.journal} cannot be used: {error}. Is the disk full? If not, delete the "
            "file; all images are then embedded again."
        ) from None
    except OSError as error:
        where = error.filename or output.folder.parent
        raise BuildError(f"{where}: {error.strerror or error}.") from None
    return _outcome(options, images, changed=changed)


@dataclass(frozen=True)
class _Found:
    """The images of a tree, in order, all of which the journal knows.

    ``checksums`` are the SHA-256 of their contents; the rest is as :class:`Images` has it.
    """

    paths: list[str]
    checksums: list[bytes]
    skipped: list[Skipped]
    reused: int
    unread: Counter[str]
    gone: int
    archives: Archives


def _find(options: IndexOptions, package: Package, journal: Journal) -> _Found:
    """The images of a tree, embedded as far as they are not in the journal."""
    assert options.images is not None
    root = options.images
    archives = Archives(root, journal)
    scanned = scan(root, include=options.include, exclude=options.exclude, enter=archives.enter)
    files = scanned.images
    if options.sample_size is not None:
        chosen = set(sample([file.path for file in files], options.sample_size, options.seed))
        files = [file for file in files if file.path in chosen]
    fresh = embed(
        root,
        files,
        scanned.time_ns,
        journal,
        package.card,
        package.image_encoder,
        _threads(options),
        archives.content,
    )
    paths: list[str] = []
    checksums: list[bytes] = []
    skipped = list(scanned.skipped)
    for path, sha256, reason, detail in journal.outcomes([file.path for file in files]):
        if reason is not None:
            skipped.append(Skipped(path=path, reason=reason, detail=detail or ""))
        else:
            assert sha256 is not None
            paths.append(path)
            checksums.append(sha256)
    skipped.sort(key=lambda each: each.path)
    if not paths:
        raise BuildError(_nothing_found(root, skipped, scanned.unread))
    there = [file.path for file in scanned.images]
    # Only now: a run that fails forgets nothing.
    if options.prune and scanned.whole:
        journal.keep_only(there)
    return _Found(
        paths,
        checksums,
        skipped,
        reused=len(paths) - len(fresh.intersection(paths)),
        unread=scanned.unread,
        gone=journal.others(there),
        archives=archives,
    )


def _made_of(
    options: IndexOptions,
    package: Package,
    captioner: CaptionModel | None,
    ocr: OcrFacts | None,
    found: _Found,
) -> str:
    assert options.images is not None
    settings = {
        "model": package.card.model_dump(mode="json", by_alias=True),
        "root": str(options.images.resolve()),
        "metric": options.metric,
        "metadata": options.metadata,
        "captioner": None if captioner is None else captioner.facts.model_dump(mode="json"),
        "ocr": None if ocr is None else identity(ocr),
        "versions": versions(),
    }
    images = zip(found.paths, found.checksums, strict=True)
    words = chain(sidecars(options.images, found.paths), found.archives.words())
    return made_of(settings, images, found.skipped, words)


def _with_vectors(found: _Found, journal: Journal, dim: int) -> Images:
    vectors = np.empty((len(found.paths), dim), dtype=np.float32)
    sizes: list[tuple[int, int] | None] = []
    for row, path in enumerate(found.paths):
        record = journal.get(path)
        assert record.vector is not None
        assert record.width is not None
        assert record.height is not None
        vectors[row] = record.vector
        sizes.append((record.width, record.height))
    return Images(
        found.paths,
        sizes,
        vectors,
        found.skipped,
        found.reused,
        found.unread,
        found.gone,
        archives=found.archives,
    )


def _outcome(options: IndexOptions, images: Images | _Found, *, changed: bool) -> Outcome:
    sizes = images.sizes if isinstance(images, Images) else []
    return Outcome(
        folder=options.output,
        found=len(images.paths) + len(images.skipped),
        embedded=len(images.paths),
        reused=images.reused,
        skipped=Counter(each.reason for each in images.skipped),
        unread=images.unread,
        gone=images.gone,
        without_file=sum(size is None for size in sizes),
        changed=changed,
    )


def given_images(options: IndexOptions, card: ModelCard, journal: Journal) -> Images:
    """The images whose vectors exist; sizes and thumbnails of those that are on the disk.

    Raises:
        BuildError: the vectors or the paths are of another form, or do not fit together.
    """
    assert options.embeddings is not None
    given = read_given(options.embeddings, options.paths, options.images, card.embedding_dim)
    rows = sorted(range(len(given.paths)), key=given.paths.__getitem__)
    if options.sample_size is not None:
        chosen = set(sample(given.paths, options.sample_size, options.seed))
        rows = [row for row in rows if given.paths[row] in chosen]
    paths = [given.paths[row] for row in rows]
    sizes: list[tuple[int, int] | None] = [None] * len(paths)
    if options.images is not None:
        found = look_up(options.images, paths)
        embed(options.images, found.images, found.time_ns, journal, card, None, _threads(options))
        there = {file.path for file in found.images}
        sizes = [_size(path, journal) if path in there else None for path in paths]
    return Images(
        paths,
        sizes,
        read_vectors(given.files, np.array(rows), card.embedding_dim),
        skipped=[],
        reused=len(paths),
        said=given.said,
        queries=given.queries,
    )


def _same(new: Manifest, old: Manifest | None) -> bool:
    """Whether two bundles differ in nothing but the time of their making."""
    return old is not None and old.model_copy(update={"created": new.created}) == new


def _size(path: str, journal: Journal) -> tuple[int, int] | None:
    record = journal.get(path)
    return None if record.width is None or record.height is None else (record.width, record.height)


def _threads(options: IndexOptions) -> int:
    if options.threads is not None:
        return options.threads
    return machine.cores()


def told_unread(unread: Counter[str]) -> str:
    """What looks like an image and is not read, in words: ``12 .heic (…), 3 .mp4``."""
    told = []
    for suffix, count in sorted(unread.items(), key=lambda each: (-each[1], each[0])):
        extra = extra_for(suffix)
        help_ = f" ({how_to_install(extra)})" if extra else ""
        told.append(f"{count} {suffix}{help_}")
    return ", ".join(told)


def _nothing_found(root: Path, skipped: Sequence[Skipped], unread: Counter[str]) -> str:
    if not skipped:
        there = f": there is {told_unread(unread)}" if unread else ""
        return (
            f"{root} holds no images{there}. Give --images a folder with jpg, png, webp, gif, ..."
        )
    some = "; ".join(f"{each.path}: {each.reason}" for each in skipped[:3])
    return f"no image in {root} could be embedded: all {len(skipped)} were skipped ({some})."
