"""Images to vectors: the ONNX image encoder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.graph import open_graph
from models.manifest import IMAGE_ENCODER, ModelCard


class ImageEncoder:
    """Runs ``image_encoder.onnx`` of a model package or bundle.

    Args:
        folder: the package or bundle.
        card: what the model is.
        threads: how many threads a run may use.
        graph: what is in the file, where the caller has read it already.

    Raises:
        DamagedError: the file is missing or no ONNX graph of this kind.
    """

    def __init__(
        self, folder: Path, card: ModelCard, *, threads: int = 1, graph: bytes | None = None
    ) -> None:
        self._session = open_graph(folder / IMAGE_ENCODER, graph, threads=threads)
        self.dim = card.embedding_dim

    def encode(self, pixel_values: NDArray[np.float32]) -> NDArray[np.float32]:
        """L2-normalised vectors of preprocessed images.

        Args:
            pixel_values: float32 ``[n, 3, height, width]``, n >= 0.

        Returns:
            float32 ``[n, dim]``; an image's vector is the same in any company, since
            each goes through the graph by itself.
        """
        vectors = np.empty((len(pixel_values), self.dim), dtype=np.float32)
        for row, image in enumerate(pixel_values):
            vectors[row] = self._session.run(None, {"pixel_values": image[np.newaxis]})[0][0]
        return vectors


class LazyImageEncoder:
    """An image encoder that is loaded when it is first used.

    A large one takes three times the memory of all that a search in words needs, and many
    services are only ever asked in words.  For use from any thread.

    ``checked`` says whether it is known to compute what it must.

    Args:
        load: loads it, and refuses one that is damaged.
        checked: whether the caller knows that it is not.
    """

    def __init__(self, load: Callable[[], ImageEncoder], *, checked: bool = False) -> None:
        self.checked = checked
        self._load = load
        self._lock = threading.Lock()
        self._encoder: ImageEncoder | None = None

    def load(self) -> ImageEncoder:
        """The encoder, which from now on stays.

        Raises:
            DamagedError: the file is not what it must be, or computes something else.
        """
        with self._lock:
            if self._encoder is None:
                self._encoder = self._load()
                self.checked = True
            return self._encoder

    def check(self) -> None:
        """Load the encoder and let go of it, unless it is checked already.

        Raises:
            DamagedError: the file is not what it must be, or computes something else.
        """
        with self._lock:
            if not self.checked:
                self._load()
                self.checked = True

    def encode(self, pixel_values: NDArray[np.float32]) -> NDArray[np.float32]:
        """What :meth:`ImageEncoder.encode` gives.

        Raises:
            DamagedError: the file is not what it must be, or computes something else.
        """
        return self.load().encode(pixel_values)
