"""Images that come and go, by their embeddings: a bundle is changed and not built again.

The result is a whole new bundle in the place of the old one (:mod:`build.atomic_output`); what
it costs depends on what changes (:mod:`build.changed_files`).  Now and then the whole is written
anew (:mod:`build.renew`): small bundles, and those of which much has changed.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from build.atomic_output import Output
from build.bundle_images import Images
from build.changed_files import Coming, is_due, write_changed
from build.embed import NO_ENCODER
from build.errors import BuildError
from build.images_with_embeddings import given_images
from build.index_options import IndexOptions
from build.journal import Journal
from build.metadata.description import Metadata
from build.moves import Moves, moves
from build.new_items import coming_of, positions_of
from build.path_lists import read_paths
from build.renew import write_renewed
from build.said import Said
from build.said_of_images import what_is_said
from build.tags import Tagger
from models import machine
from models.bundle import Bundle
from models.checksums import verify_files
from models.file_names import TEXT_ENCODER, TOKENIZER
from models.folder import Folder
from models.golden import compare_texts
from models.manifest import Manifest
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer
from models.vector_index import VectorIndex


@dataclass(frozen=True)
class ChangeOptions:
    """What is to become of a bundle; see ``python -m build change --help``."""

    bundle: Path
    embeddings: Path | None = None
    paths: Path | None = None
    remove: Path | None = None
    images: Path | None = None
    metadata: Metadata = "basic"


@dataclass(frozen=True)
class Changed:
    """What a change did: how many images came, came anew, went, and were not there to go.

    ``renewed`` says that the whole was written anew.
    """

    added: int
    replaced: int
    removed: int
    absent: int
    images: int
    renewed: bool


def change_bundle(options: ChangeOptions) -> Changed:
    """Add, replace and remove images of a bundle.

    Raises:
        BuildError: names what is wrong and what to do.
        DamagedError: names the file of the bundle that is not whole.
    """
    if options.embeddings is None and options.remove is None:
        raise BuildError("nothing to change: give --embeddings with --paths, or --remove, or both.")
    output = Output(options.bundle)
    root = _root(options, Manifest.read(output.folder))
    try:
        with Journal(output.journal, NO_ENCODER, root and root.resolve()) as journal:
            output.recover()
            return _change(output, options, root, journal)
    except sqlite3.Error as error:
        raise BuildError(f"{output.folder} cannot be changed: {error}. Is the disk full?") from None
    except OSError as error:
        where = error.filename or output.folder.parent
        raise BuildError(f"{where}: {error.strerror or error}.") from None


def _change(output: Output, options: ChangeOptions, root: Path | None, journal: Journal) -> Changed:
    manifest = Manifest.read(output.folder)
    images = _coming(options, root, manifest, journal)
    going = [] if options.remove is None else read_paths(options.remove, root)
    if both := set(going).intersection(images.paths):
        raise BuildError(f"{min(both)} is to be added and to be removed: leave it out of one list.")
    with closing(Folder(output.folder)) as old:
        old.open(manifest.files)
        was_at, at = positions_of(old, images.paths), positions_of(old, going)
        plan = moves(manifest.images, at[at >= 0], was_at)
        outcome = Changed(
            added=int((was_at < 0).sum()),
            replaced=int((was_at >= 0).sum()),
            removed=int((at >= 0).sum()),
            absent=int((at < 0).sum()),
            images=plan.count,
            renewed=False,
        )
        if not plan.count:
            raise BuildError("no image would be left: a bundle has at least one.")
        if not len(plan.new) and not outcome.removed:
            return outcome
        coming = _described(output.folder, manifest, images, plan, root, journal, options)
        plan = replace(plan, new=np.sort(plan.new))
        if root is not None:
            manifest = manifest.model_copy(update={"image_root": str(root.resolve())})
        index = VectorIndex.load(old, manifest.index, np.array(manifest.mean, dtype=np.float32))
        rows = index.embeddings
        if not is_due(manifest, rows.row_count, rows.unchanged, plan):
            with output.new_folder() as new:
                changed = write_changed(old, manifest, index, plan, coming, new)
                if changed is not None:
                    changed.write(new)
                    output.publish()
                    return outcome
    with (
        closing(Bundle.open(output.folder, threads=machine.cores())) as bundle,
        output.new_folder() as new,
    ):
        write_renewed(replace(bundle, manifest=manifest), plan, coming, new).write(new)
        output.publish()
    return replace(outcome, renewed=True)


def _coming(
    options: ChangeOptions, root: Path | None, manifest: Manifest, journal: Journal
) -> Images:
    """The images that are to be added, or to replace those of the same paths."""
    if options.embeddings is None:
        return Images([], [], np.empty((0, manifest.model.embedding_dim), np.float32), [], 0)
    as_of_a_build = IndexOptions(
        output=options.bundle,
        model=options.bundle,
        images=root,
        embeddings=options.embeddings,
        paths=options.paths,
        metadata=options.metadata,
    )
    return given_images(as_of_a_build, manifest.model, journal)


def _described(
    folder: Path,
    manifest: Manifest,
    images: Images,
    plan: Moves,
    root: Path | None,
    journal: Journal,
    options: ChangeOptions,
) -> Coming:
    """What comes, in order of position."""
    guess = None
    if manifest.model.pretrained != "random":
        guess = _Guesses(folder, manifest)
    said = Said(what_is_said(root, images, journal, options.metadata))
    return coming_of(images, said, guess, plan, journal)


class _Guesses:
    """Alt texts from embeddings; the bundle's text encoder is loaded for the first."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._manifest = manifest

    def __call__(self, vectors: NDArray[np.float32]) -> list[str]:
        return self._tagger.alt_texts(vectors)

    @cached_property
    def _tagger(self) -> Tagger:
        files = {name: self._manifest.files[name] for name in (TOKENIZER, TEXT_ENCODER)}
        verify_files(self._folder, files)
        card = self._manifest.model
        tokenizer = Tokenizer.load(self._folder, card)
        encoder = TextEncoder(self._folder, card, threads=machine.cores())
        compare_texts(self._folder, card, tokenizer, encoder)
        return Tagger(tokenizer, encoder)


def _root(options: ChangeOptions, manifest: Manifest) -> Path | None:
    """The folder of the images: the one of the bundle, where it is on this machine."""
    known = None if manifest.image_root is None else Path(manifest.image_root)
    if options.images is None:
        return known if known is not None and known.is_dir() else None
    if known is not None and known != options.images.resolve():
        raise BuildError(
            f"the images of {options.bundle} are in {known}: give that as --images, or none, or "
            "build a bundle of its own for another folder."
        )
    return options.images
