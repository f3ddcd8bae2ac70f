"""Whether another text encoder finds the images that the fp32 one finds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from build.export.verify import sample_images, verification_queries
from models.image_encoder import ImageEncoder
from models.images import decode
from models.manifest import ModelCard
from models.preprocessing import preprocess
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer

# A quantised text encoder has to find this share of the ten images that fp32 finds.
LEAST_OVERLAP = 0.97
THREADS = os.cpu_count() or 1
_GALLERY = Path(__file__).resolve().parents[2] / "demo" / "gallery"
_IMAGES = 256


class Gate:
    """Compares text encoders by what they find: some two hundred queries, 256 images.

    Args:
        folder: a model package with the fp32 text encoder.
        card: what the model is.

    Attributes:
        token_ids: of the queries.
    """

    def __init__(self, folder: Path, card: ModelCard) -> None:
        self.token_ids = Tokenizer.load(folder, card).encode(verification_queries())
        self._images = _embed_images(folder, card)
        self._nearest = self._find(TextEncoder(folder, card, threads=THREADS))

    def overlap(self, encoder: TextEncoder) -> float:
        """The mean share of the ten nearest images that it has in common with fp32."""
        pairs = zip(self._nearest, self._find(encoder), strict=True)
        shared = [len(np.intersect1d(one, other)) for one, other in pairs]
        return float(round(np.mean(shared) / self._nearest.shape[1], 4))

    def _find(self, encoder: TextEncoder) -> NDArray[np.int64]:
        """The ten images nearest to each query, int64 ``[queries, 10]``."""
        similarities = encoder.encode(self.token_ids) @ self._images.T
        return np.argsort(-similarities, axis=1)[:, :10]


def _embed_images(folder: Path, card: ModelCard) -> NDArray[np.float32]:
    encoder = ImageEncoder(folder, card, threads=THREADS)
    pixels = (preprocess(image, card.preprocessing) for image in _images())
    return np.concatenate([encoder.encode(one[np.newaxis]) for one in pixels])


def _images() -> list[Image.Image]:
    """Images of the gallery, at random; where there is no gallery, made ones."""
    paths = sorted(path for path in _GALLERY.rglob("*") if path.suffix in (".jpg", ".png", ".webp"))
    if len(paths) < _IMAGES:
        return sample_images(_IMAGES)
    chosen = np.random.default_rng(0).permutation(len(paths))[:_IMAGES]
    return [decode(paths[place]) for place in sorted(chosen)]
