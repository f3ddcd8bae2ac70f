"""The images of a folder: found, embedded where they are new, and what of them was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from build.archives import Archives
from build.bundle_images import Images
from build.embed import embed
from build.errors import BuildError
from build.index_options import IndexOptions, threads_of
from build.journal import Journal
from build.packages import Package
from build.scan import sample, scan
from models.formats import extra_for
from models.installation import extra as how_to_install
from models.manifest import Skipped


@dataclass(frozen=True)
class Found:
    """The images of a tree, in order, all of which the journal knows.

    ``checksums`` are the SHA-256 of their contents; the rest is as :class:`Images` has it.
    """

    paths: list[str]
    checksums: list[bytes]
    sizes: list[tuple[int, int] | None]
    skipped: list[Skipped]
    reused: int
    unread: Counter[str]
    gone: int
    archives: Archives

    def images(self, dim: int) -> Images:
        """The same without their vectors, which are so wide."""
        return Images(
            self.paths,
            self.sizes,
            np.empty((0, dim), dtype=np.float32),
            self.skipped,
            self.reused,
            self.unread,
            self.gone,
            archives=self.archives,
        )


def find(options: IndexOptions, package: Package, journal: Journal) -> Found:
    """The images of a tree, embedded as far as they are not in the journal.

    Raises:
        BuildError: there are none, or none of them could be embedded.
    """
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
        threads_of(options),
        archives.content,
    )
    paths: list[str] = []
    checksums: list[bytes] = []
    sizes: list[tuple[int, int] | None] = []
    skipped = list(scanned.skipped)
    for path, sha256, width, height, reason, detail in journal.outcomes(
        [file.path for file in files]
    ):
        if reason is not None:
            skipped.append(Skipped(path=path, reason=reason, detail=detail or ""))
        else:
            assert sha256 is not None
            paths.append(path)
            checksums.append(sha256)
            sizes.append((width, height))
    skipped.sort(key=lambda each: each.path)
    if not paths:
        raise BuildError(_nothing_found(root, skipped, scanned.unread))
    there = [file.path for file in scanned.images]
    # Only now: a run that fails forgets nothing.
    if options.prune and scanned.whole:
        journal.keep_only(there)
    return Found(
        paths,
        checksums,
        sizes,
        skipped,
        reused=len(paths) - len(fresh.intersection(paths)),
        unread=scanned.unread,
        gone=journal.others(there),
        archives=archives,
    )


def with_vectors(images: Images, journal: Journal) -> Images:
    """The same images with their vectors, which the journal has: float32 ``[n, dim]``."""
    vectors = np.empty((len(images.paths), images.vectors.shape[1]), dtype=np.float32)
    for row, path in enumerate(images.paths):
        vector = journal.get(path).vector
        assert vector is not None
        vectors[row] = vector
    return replace(images, vectors=vectors)


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
