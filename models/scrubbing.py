"""What the start has left unchecked of a bundle's files, checked while it serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from models.file_names import IMAGE_ENCODER
from models.folder import Folder
from models.image_encoder import LazyImageEncoder


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """How far the check has come: bytes, of all that there are to check."""

    done: int
    total: int


def scrub(
    files: Folder, image_encoder: LazyImageEncoder | None, checked: Callable[[str], None]
) -> Iterator[Scrubbed]:
    """Check the files that are not checked yet.

    Args:
        files: those of the bundle.
        image_encoder: checks its own file; None where there is none.
        checked: is told the name of each file once the whole of it is what it must be.

    Yields:
        how far it has come, about a thousand times a gigabyte; nothing where nothing is left.

    Raises:
        DamagedError: names the file that is not what it must be.
    """
    left = [name for name in files if not _is_checked(name, files, image_encoder)]
    total = sum(map(files.size, left))
    done = 0
    for name in left:
        for size in _check(name, files, image_encoder):
            done += size
            yield Scrubbed(done, total)
        checked(name)


def _is_checked(name: str, files: Folder, image_encoder: LazyImageEncoder | None) -> bool:
    if name == IMAGE_ENCODER and image_encoder is not None:
        return image_encoder.checked
    return files.checked(name)


def _check(name: str, files: Folder, image_encoder: LazyImageEncoder | None) -> Iterator[int]:
    if name == IMAGE_ENCODER and image_encoder is not None:
        image_encoder.check()
        yield files.size(name)
    else:
        yield from files.check(name)
