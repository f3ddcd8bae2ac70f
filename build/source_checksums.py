"""What each image of a bundle is made of: what is made of the same need not be made again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from build.journal import Journal

_WIDTH = 16


@dataclass(frozen=True)
class SourceChecksums:
    """What a bundle is made of.

    ``settings`` is a checksum of how it is made (:mod:`build.made_of`), ``paths`` are its images
    and ``checksums`` those of each and of what is said of it, 16 bytes (:mod:`build.said`).
    """

    settings: str
    paths: Sequence[str]
    checksums: Sequence[bytes]

    def note(self, journal: Journal, made_of: str) -> None:
        """Write it down, before the bundle is there, as that of the bundle with this checksum."""
        journal.put_made(
            f"{made_of} {self.settings}", json.dumps(self.paths), b"".join(self.checksums)
        )
        journal.commit()

    def since(self, journal: Journal, made_of: str) -> tuple[list[str], list[str]] | None:
        """The images that have come or changed since a bundle was made, and those that have gone.

        Args:
            journal: where it was written down what the bundle is made of.
            made_of: the bundle's checksum.

        Returns:
            None where that is not known, or the bundle was made otherwise.
        """
        noted = journal.made()
        if noted is None or noted[0] != f"{made_of} {self.settings}":
            return None
        _, paths, packed = noted
        starts = range(0, len(packed), _WIDTH)
        each = (packed[start : start + _WIDTH] for start in starts)
        before = dict(zip(json.loads(paths), each, strict=True))
        now = zip(self.paths, self.checksums, strict=True)
        coming = [path for path, checksum in now if before.pop(path, None) != checksum]
        return coming, list(before)
