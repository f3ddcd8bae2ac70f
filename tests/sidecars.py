"""Files beside images, as tests write them."""

from __future__ import annotations

from pathlib import Path


def put(root: Path, **files: str | bytes) -> None:
    """Write files; ``__`` stands for a dot in the names."""
    for name, content in files.items():
        path = root / name.replace("__", ".")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
