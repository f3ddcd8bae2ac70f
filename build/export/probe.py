"""What rounding the parts of a text tower does to the vectors of texts."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from build.export.probe_graph import probe_graph
from build.export.quantise import Quantised
from build.export.text_tower import TextTower
from build.tags import VOCABULARY, read_vocabulary

_PROMPTS = ("{}", "a photo of a {}", "{} and {}", "a {} with a {} in the {}")
# With so many texts a part's error is within a tenth of what four times as many give.
_TEXTS = 48
# A tower that does not drop padding takes long for each text: for the errors, which take a
# run for each part, a few of them do.
_TOKENS_PER_RUN = 512


def probe_texts() -> list[str]:
    """Texts like queries, none of which the gate asks for: of words of the vocabulary."""
    words = read_vocabulary(VOCABULARY)
    step = len(words) // _TEXTS
    return [
        _PROMPTS[number % len(_PROMPTS)].format(*words[number * step : number * step + 3])
        for number in range(_TEXTS)
    ]


class Probe:
    """Encodes the same texts with any of a tower's parts rounded.

    Args:
        tower: the tower.
        quantised: all of its parts.
        token_ids: of the texts; where their lengths differ, each ends with its end token.
    """

    def __init__(
        self,
        tower: TextTower,
        quantised: Mapping[str, Quantised],
        token_ids: Sequence[list[int]],
    ) -> None:
        longest = max(len(ids) for ids in token_ids)
        # What follows the first end token changes nothing.  In alphabetical order, as the
        # graph likes it.
        padded = sorted([*ids, *ids[-1:] * (longest - len(ids))] for ids in token_ids)
        self._ids = np.array(padded, dtype=np.int64)
        self._few = slice(None, None, max(1, self._ids.size // _TOKENS_PER_RUN))
        self._parts = list(quantised)
        options = ort.SessionOptions()
        options.intra_op_num_threads = os.cpu_count() or 1
        graph = probe_graph(tower, quantised).SerializeToString()
        self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._exact = self._encode(self._ids, ())

    def offset(self, parts: Collection[str]) -> NDArray[np.float32]:
        """What has to be added to vectors, before they get length one, to take back the mean
        error that rounding these parts makes: float32 ``[dim]``."""
        offset: NDArray[np.float32] = (self._exact - self._encode(self._ids, parts)).mean(axis=0)
        return offset

    def error(self, part: str) -> float:
        """The mean squared error of the vectors when one part is rounded, and the mean error
        taken back."""
        exact = self._exact[self._few]
        rounded = self._encode(self._ids[self._few], (part,))
        rounded += (exact - rounded).mean(axis=0)
        return float(np.square(_unit(rounded) - _unit(exact)).sum(axis=1).mean())

    def _encode(self, ids: NDArray[np.int64], parts: Collection[str]) -> NDArray[np.float32]:
        rounded = np.array([part in parts for part in self._parts])
        vectors: NDArray[np.float32]
        [vectors] = self._session.run(None, {"input_ids": ids, "rounded": rounded})
        return vectors


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
