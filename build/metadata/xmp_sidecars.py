"""XMP files beside images, as Lightroom, darktable, digiKam and Bridge write them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from build.metadata import Fields
from build.metadata.xmp import LARGEST, read_xmp, xmp_fields

_SUFFIX = ".xmp"


def read_xmp_sidecars(root: Path, images: Sequence[str]) -> tuple[dict[str, Fields], list[str]]:
    """What XMP files say of images: ``photo.xmp``, and over it ``photo.jpg.xmp``.

    Args:
        root: the root of the tree.
        images: paths relative to it, with ``/``.

    Returns:
        The fields by image (those of which nothing is said are left out), and warnings for
        the user.
    """
    by_folder: dict[str, dict[str, str]] = {}
    said: dict[str, Fields] = {}
    warnings: list[str] = []
    for image in images:
        name = PurePosixPath(image)
        folder = str(name.parent)
        if folder not in by_folder:
            by_folder[folder] = _sidecars(root / folder)
        fields: Fields = {}
        for stem in (name.stem, name.name):
            sidecar = by_folder[folder].get(stem)
            if sidecar is None:
                continue
            path = root / folder / sidecar
            try:
                fields |= _read(path)
            except (OSError, ValueError) as error:
                warnings.append(f"{path.relative_to(root).as_posix()}: {error}: left out")
        if fields:
            said[image] = fields
    return said, warnings


def _sidecars(folder: Path) -> dict[str, str]:
    """The XMP files of a folder by what they are beside: a name, or one without its suffix."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.lower().endswith(_SUFFIX))
    except OSError:
        return {}
    return {name[: -len(_SUFFIX)]: name for name in names}


def _read(path: Path) -> Fields:
    with path.open("rb") as stream:
        return xmp_fields(read_xmp(stream.read(LARGEST + 1)))
