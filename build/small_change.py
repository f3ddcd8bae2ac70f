"""A bundle of a folder in which little has changed: it is changed, and not put together anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np

from build.assemble import tagger_of
from build.atomic_output import Output
from build.bundle_images import Images
from build.changed_files import Coming, is_due, write_changed
from build.found_images import with_vectors
from build.journal import Journal
from build.measured import measured
from build.moves import Moves, moves
from build.new_items import coming_of, positions_of
from build.packages import Package
from build.said import Said
from build.source_checksums import SourceChecksums
from models.database import Database
from models.file_names import ITEMS
from models.folder import Folder
from models.items import ItemStore
from models.manifest import Manifest
from models.vector_index import VectorIndex

# Of more than this share of the images to change costs as much as to put all together.
_MOST = 0.1


def apply_small_change(
    output: Output,
    manifest: Manifest,
    images: Images,
    said: Said,
    made: SourceChecksums,
    made_of: str,
    package: Package,
    journal: Journal,
) -> bool:
    """Replace a bundle by one of the images that there are now, if little is to be done.

    Its index keeps its codebooks, and its images their places; all else is as a build would
    have it.

    Args:
        output: where the bundle is, whole.
        manifest: the bundle's.
        images: those that there are now; their vectors are in the journal.
        said: what is said of them.
        made: what the new bundle is made of.
        made_of: the checksum of that.
        package: the model package, the same as the bundle's.
        journal: where it is written down what the bundle was made of.

    Returns:
        False where it has to be put together anew, and nothing was done.
    """
    known = made.since(journal, manifest.made_of)
    if known is None or manifest.index.kind == "flat":
        return False
    coming, going = known
    if len(coming) + len(going) > _MOST * manifest.images:
        return False
    with closing(Folder(output.folder)) as old:
        old.open(manifest.files)
        # Output.whole_manifest has just hashed them.
        old.trust(manifest.files)
        plan = moves(manifest.images, positions_of(old, going), positions_of(old, coming))
        index = VectorIndex.load(old, manifest.index, np.array(manifest.mean, dtype=np.float32))
        if is_due(manifest, index.embeddings.row_count, index.embeddings.unchanged, plan):
            return False
        tagger = tagger_of(package)
        guess = None if tagger is None else tagger.alt_texts
        arriving = coming_of(_only(images, coming, journal), said, guess, plan, journal)
        plan = replace(plan, new=np.sort(plan.new))
        with closing(ItemStore(Database(old, ITEMS))) as items, output.new_folder() as new:
            caption_of = _captions(items, plan, arriving)
            changed = write_changed(
                old,
                manifest,
                index,
                plan,
                arriving,
                new,
                lambda index: measured(
                    index, package.tokenizer, package.text_encoder, tagger, caption_of
                ),
            )
            if changed is None:
                return False
            what_else = {"skipped": images.skipped, "made_of": made_of}
            changed.model_copy(update=what_else).write(new)
            made.note(journal, made_of)
            output.publish()
    return True


def _only(images: Images, paths: Sequence[str], journal: Journal) -> Images:
    """Some of the images, with their vectors."""
    size_of = dict(zip(images.paths, images.sizes, strict=True))
    some = replace(images, paths=list(paths), sizes=[size_of[path] for path in paths])
    return with_vectors(some, journal)


def _captions(items: ItemStore, plan: Moves, coming: Coming) -> Callable[[int], str | None]:
    """What gives the caption of the image at a position of the new bundle.

    Args:
        items: of the old one.
        plan: what has become of their positions.
        coming: what is new.
    """
    new = {item.position: item.caption for item in coming.items}
    stays = np.flatnonzero(plan.now_at >= 0)
    was_at = np.empty(plan.count, dtype=np.int64)
    was_at[plan.now_at[stays]] = stays

    def caption_of(position: int) -> str | None:
        if position in new:
            return new[position]
        return items.get([int(was_at[position])])[0].caption

    return caption_of
