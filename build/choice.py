"""Which files of a tree are meant: not what systems and programs leave there, nor what is left out.

Patterns are those of Git's ignore files (``gitignore(5)``), relative to the top of the tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pathspec

from build.errors import BuildError

IGNORE_FILE = ".sightlineignore"
# Thumbnails and bins of NAS and desktop systems, what unpacking leaves, Lightroom's previews.
_OTHERS = frozenset(
    {
        "@eadir",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "__macosx",
    }
)
_PREVIEWS = ".lrdata"


class Choice:
    """What is looked at in a tree.

    Args:
        root: the tree; its ``.sightlineignore`` is read where there is one.
        include: only images that match one of these; all where there are none.
        exclude: no folders and images that match one of these.

    Raises:
        BuildError: the ignore file cannot be read, or a pattern makes no sense.
    """

    def __init__(
        self, root: Path, *, include: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> None:
        lines = []
        path = root / IGNORE_FILE
        try:
            if path.is_file():
                lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BuildError(f"{path} cannot be read: {error}.") from None
        self._left_out = _patterns([*lines, *exclude], f"{path} or --exclude")
        self._wanted = _patterns(include, "--include") if include else None

    def takes_folder(self, path: str) -> bool:
        """Whether a folder, by its path in the tree, is entered."""
        name = path.rpartition("/")[2].lower()
        if name in _OTHERS or name.endswith(_PREVIEWS):
            return False
        return not self._left_out.match_file(f"{path}/")

    def takes_image(self, path: str) -> bool:
        """Whether an image, by its path in the tree, is wanted; its folders are."""
        if self._left_out.match_file(path):
            return False
        return self._wanted is None or self._wanted.match_file(path)


def _patterns(lines: Sequence[str], where: str) -> pathspec.GitIgnoreSpec:
    try:
        return pathspec.GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise BuildError(f"{where}: a pattern makes no sense: {error}.") from None
