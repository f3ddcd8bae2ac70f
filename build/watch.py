"""A bundle that is kept current: whatever changes in the folder of the images, it is built again.

A build embeds only what changed (:mod:`build.journal`), and the service takes the new bundle
where it finds it.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from watchfiles import Change, watch

from build.bundle_from_images import IndexOptions, Outcome, build_index
from build.errors import BuildError
from models.manifest import DamagedError

# Milliseconds: nothing has to happen for so long before a build begins, which it does at the
# latest after so many, and how often is looked whether there is anything.
_QUIET = 1_000
_AT_THE_LATEST = 60_000
_LOOK = 500
_NAMED = 3
_TOLD = {Change.added: "new", Change.modified: "changed", Change.deleted: "gone"}

Changes = set[tuple[Change, str]]


def keep_current(options: IndexOptions, tell: Callable[[Outcome], None]) -> None:
    """Build a bundle of a folder, and again whenever something in it changes, until Ctrl-C.

    A build that fails is told, and tried again at the next change; the bundle that is there stays.

    Args:
        options: of the build; ``images`` is the folder.
        tell: is given the outcome of each build.

    Raises:
        BuildError: the first build fails.
        DamagedError: a file of the model package is not whole.
    """
    assert options.images is not None
    root = options.images.resolve()
    if not root.is_dir():
        raise BuildError(f"{options.images} is no folder: there is nothing to watch.")
    first = True
    for changes in _changes(root, _others(options.output.resolve())):
        if changes:
            print(f"{datetime.now():%H:%M:%S} {told(changes, root)}", file=sys.stderr, flush=True)
        if first:
            tell(build_index(options))
            first = False
        elif changes:
            try:
                tell(build_index(options))
            except (BuildError, DamagedError) as error:
                print(f"error: {error}", file=sys.stderr, flush=True)


def told(changes: Changes, root: Path) -> str:
    """What has happened, in words: ``2 new, 1 gone: fox.jpg, owl.jpg, …``."""
    counts = Counter(_TOLD[change] for change, _ in changes)
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in _TOLD.values() if counts[kind])
    paths = sorted({path for _, path in changes})
    names = [str(Path(path).relative_to(root)) for path in paths[:_NAMED]]
    return f"{kinds}: {', '.join([*names, *['…'][: len(paths) - len(names)]])}"


def _changes(root: Path, wanted: Callable[[Change, str], bool]) -> Iterator[Changes]:
    """What happens in a folder; nothing from time to time, and at first.

    What happens while the caller is busy comes afterwards.
    """
    return watch(
        root,
        watch_filter=wanted,
        debounce=_AT_THE_LATEST,
        step=_QUIET,
        rust_timeout=_LOOK,
        yield_on_timeout=True,
    )


def _others(bundle: Path) -> Callable[[Change, str], bool]:
    """Whether a path is no part of the bundle, nor of what its builds keep beside it."""

    def wanted(_: Change, path: str) -> bool:
        try:
            name = Path(path).relative_to(bundle.parent).parts[0]
        except (ValueError, IndexError):
            return True
        return name != bundle.name and not name.startswith(f".{bundle.name}.")

    return wanted
