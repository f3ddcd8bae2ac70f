"""The images that a bundle is made of, before anything is said of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from build.archives import Archives
from build.metadata import Fields
from build.shards.reading import Shards
from models.manifest import Skipped


@dataclass(frozen=True)
class Images:
    """The images of a bundle, in order of position, and those that are not in it.

    ``sizes`` are widths and heights in pixels, None where there is no file; ``vectors`` is
    float32 ``[n, dim]`` with rows of length one; ``reused`` counts the vectors that were
    there before; ``unread`` counts, by suffix, what looks like an image and is not read;
    ``gone`` are known from earlier builds and were not found; ``said`` is what came with the
    vectors, by path, and ``queries``, float32 ``[m, dim]``, the embeddings of texts that did;
    ``archives`` are the tars that images are in; ``shards`` know all else of each, where the
    images come from there.
    """

    paths: list[str]
    sizes: list[tuple[int, int] | None]
    vectors: NDArray[np.float32]
    skipped: list[Skipped]
    reused: int
    unread: Counter[str] = field(default_factory=Counter)
    gone: int = 0
    said: Mapping[str, Fields] = field(default_factory=dict)
    queries: NDArray[np.float32] | None = None
    archives: Archives | None = None
    shards: Shards | None = None
