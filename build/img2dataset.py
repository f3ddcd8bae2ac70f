"""What img2dataset writes of an image: of its own keys and columns none says anything of it.

The names are those of ``img2dataset/downloader.py`` (github.com/rom1504/img2dataset); what the
user's table had beside the address, ``url`` and ``caption`` among it, lies between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# By all of these it is known.
_MARKS = frozenset({"key", "status", "error_message"})
# Width and height are those of the file, which is asked itself.
_MACHINERY = _MARKS | {"shard_id", "exif", "width", "height", "md5", "sha256", "sha512"}


def without_machinery(said: Mapping[str, Any]) -> dict[str, Any]:
    """An object or row without what img2dataset has put there for itself; others as they are."""
    if not said.keys() >= _MARKS:
        return dict(said)
    return {name: value for name, value in said.items() if name not in _MACHINERY}
