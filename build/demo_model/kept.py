"""What the recipe keeps between runs is there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def kept_as(path: Path) -> Iterator[Path]:
    """A file to write to, with the same suffix, that becomes ``path`` once it is whole.

    Example::

        with kept_as(work / "head.pt") as part:
            torch.save(head, part)
    """
    part = path.with_name(f"part-{path.name}")
    yield part
    part.rename(path)
