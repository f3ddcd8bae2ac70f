"""The project's own files, also where there is no git to ask."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# As .gitignore has them, besides what begins with a dot.
_MADE = {"artifacts", "bundles", "__pycache__"}
_HIDDEN_AND_OURS = {".ci", ".github"}


def own_files(*patterns: str) -> Iterator[Path]:
    """Those whose path, from the project's folder, matches one of the patterns."""
    for folder, inside, names in os.walk(ROOT):
        inside[:] = [
            name
            for name in inside
            if name in _HIDDEN_AND_OURS or not (name.startswith(".") or name in _MADE)
        ]
        for path in (Path(folder, name) for name in names):
            if any(path.match(pattern) for pattern in patterns):
                yield path
