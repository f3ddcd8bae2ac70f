"""Where the bundles lie that ``sightline open`` makes, and which was used last.

    ~/.cache/sightline/bundles/Pictures-3f2a9c51    of ~/Pictures
    ~/.cache/sightline/last-bundle                  the path of one, here or anywhere

The cache lies where each system has such folders.  What is in it can be made again: who deletes it
loses time.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import platformdirs

from build.errors import BuildError


def cache() -> Path:
    """The folder that all of this lies in; it need not be there."""
    return platformdirs.user_cache_path("sightline", appauthor=False)


def bundle_of(images: Path) -> Path:
    """Where the bundle of a folder of images lies: told from those of others with its name."""
    resolved = images.resolve()
    digest = hashlib.sha256(os.fsencode(resolved)).hexdigest()[:8]
    name = re.sub(r"[^\w.-]+", "-", resolved.name).strip("-.") or "images"
    return cache() / "bundles" / f"{name}-{digest}"


def remember(bundle: Path | str) -> None:
    """Have commands that are given no bundle take this one: a folder, or an address."""
    if "://" not in str(bundle):
        bundle = Path(bundle).resolve()
    cache().mkdir(parents=True, exist_ok=True)
    _last().write_text(f"{bundle}\n", encoding="utf-8")


def last() -> str:
    """The bundle that was used last.

    Raises:
        BuildError: none was.
    """
    try:
        return _last().read_text(encoding="utf-8").rstrip("\n")
    except FileNotFoundError:
        raise BuildError(
            "no bundle is given, and none was used before: name one with --bundle, or make one "
            "of a folder of images: sightline open FOLDER"
        ) from None


def _last() -> Path:
    return cache() / "last-bundle"
