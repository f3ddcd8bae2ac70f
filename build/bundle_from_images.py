"""Images and a model package to a bundle."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from build.assemble import assemble, versions
from build.atomic_output import Output
from build.bundle_images import Images
from build.captioner import CaptionModel, find_captioner
from build.embed import NO_ENCODER, encoder_identity
from build.errors import BuildError
from build.found_images import Found, find, with_vectors
from build.images_with_embeddings import given_images
from build.index_options import IndexOptions, threads_of
from build.journal import Journal
from build.made_of import made_of, sidecars
from build.ocr import find_reader, identity
from build.packages import Package, open_package
from build.said_of_images import all_said
from build.small_change import apply_small_change
from build.source_checksums import SourceChecksums
from models.manifest import Manifest, OcrFacts


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
    given = options.embeddings is not None or options.shards is not None
    if not given and options.images is None:
        raise BuildError("no images: give --images DIR, or --embeddings with --paths.")
    package = open_package(
        options.model,
        text_threads=threads_of(options),
        image_threads=None if given else 1,
        device=options.device,
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
            found = None
            if given:
                images, checksum = given_images(options, package.card, journal), ""
            else:
                found = find(options, package, journal)
                settings = _settings(options, package, captioner, ocr)
                checksum = _made_of(options, settings, found)
                # To read every vector and thumbnail of a large tree takes longer than all else.
                if old is not None and old.made_of == checksum:
                    return _outcome(options, found, changed=False)
                images = found.images(package.card.embedding_dim)
            said = all_said(
                options.images,
                images,
                journal,
                threads_of(options),
                captioner,
                ocr,
                options.metadata,
            )
            made = None
            if found is not None:
                checksums = said.checksums(found.paths, found.checksums)
                made = SourceChecksums(made_of(settings, (), (), ()), found.paths, checksums)
                if old is not None and apply_small_change(
                    output, old, images, said, made, checksum, package, journal
                ):
                    return _outcome(options, found, changed=True)
                images = with_vectors(images, journal)
            with output.new_folder() as new:
                manifest = assemble(
                    new,
                    images,
                    package=package,
                    metric=options.metric,
                    root=options.images,
                    journal=journal,
                    threads=threads_of(options),
                    said=said,
                    captioner=captioner,
                    ocr=ocr,
                    made_of=checksum,
                    recall=options.recall,
                )
                changed = not _same(manifest, old)
                if made is not None:
                    made.note(journal, checksum)
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


def _settings(
    options: IndexOptions, package: Package, captioner: CaptionModel | None, ocr: OcrFacts | None
) -> dict[str, Any]:
    """How a bundle of a tree is made."""
    assert options.images is not None
    return {
        "model": package.card.model_dump(mode="json", by_alias=True),
        "root": str(options.images.resolve()),
        "metric": options.metric,
        "recall": options.recall,
        "metadata": options.metadata,
        "captioner": None if captioner is None else captioner.facts.model_dump(mode="json"),
        "ocr": None if ocr is None else identity(ocr),
        "versions": versions(),
    }


def _made_of(options: IndexOptions, settings: dict[str, Any], found: Found) -> str:
    assert options.images is not None
    images = zip(found.paths, found.checksums, strict=True)
    words = chain(sidecars(options.images, found.paths), found.archives.words())
    return made_of(settings, images, found.skipped, words)


def _outcome(options: IndexOptions, images: Images | Found, *, changed: bool) -> Outcome:
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


def _same(new: Manifest, old: Manifest | None) -> bool:
    """Whether two bundles differ in nothing but the time of their making."""
    return old is not None and old.model_copy(update={"created": new.created}) == new
