"""Vectors of texts that were asked for lately.

What people search for repeats: a few queries are most of the traffic.  The key is the token
ids, so that a text finds itself whatever its case and spacing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from serving.metrics import Metrics

Tokens = Sequence[int]
Vectors = NDArray[np.float32]


class VectorCache:
    """The least recently used are forgotten first.  Not for use by several threads at once.

    Args:
        encode: the vectors of tokenised texts, float32 ``[n, dim]``.
        size: texts to remember; none with 0.
        metrics: counts what was remembered and what was not.
    """

    def __init__(
        self, encode: Callable[[list[list[int]]], Vectors], size: int, metrics: Metrics
    ) -> None:
        self._metrics = metrics
        self._encode = encode
        self._size = size
        self._known: OrderedDict[tuple[int, ...], NDArray[np.float32]] = OrderedDict()

    def vectors(self, texts: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """The vector of each text, float32 ``[dim]``, encoding those that are not known.

        A text that stands there twice is encoded once.
        """
        keys = [tuple(text) for text in texts]
        new = list(dict.fromkeys(key for key in keys if key not in self._known))
        found = {key: self._known[key] for key in keys if key in self._known}
        if new:
            found.update(zip(new, self._encode([list(key) for key in new]), strict=True))
        self._metrics.cache_hits.inc(len(keys) - len(new))
        self._metrics.cache_misses.inc(len(new))
        if self._size:
            self._remember(found)
        return [found[key] for key in keys]

    def _remember(self, found: dict[tuple[int, ...], NDArray[np.float32]]) -> None:
        for key, vector in found.items():
            # A copy, or a row would keep its whole batch alive.
            self._known[key] = self._known[key] if key in self._known else vector.copy()
            self._known.move_to_end(key)
        while len(self._known) > self._size:
            self._known.popitem(last=False)
