"""Fewer axes than an embedding has, on which the products of texts and images are almost the same.

What the inner product of a text ``q`` and an image ``x`` loses on fewer axes depends on where both
lie.  With ``W`` the root of the moments of what is sought with and ``C`` the covariance of the
images, the axes that lose least, in the mean of the squares, are the first eigenvectors ``U`` of
``W C W``: an image becomes ``Uᵀ W x``, a text ``Uᵀ W⁻¹ q``.  This is reduced-rank regression
(Izenman, 1975); LeanVec-OOD seeks the same for vectors that lie elsewhere than their queries
(Tepper et al., 2023, arXiv 2312.16335).  On these axes texts point anywhere alike, so that codes
may be as coarse in any direction as in another.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import faiss
import numpy as np
from numpy.typing import NDArray

from models.arrays import read_array
from models.damage import DamagedError
from models.file_names import PROJECTION
from models.folder import Folder

Vectors = NDArray[np.float32]
_Matrix = NDArray[np.float64]

# So much of the products' variance may be lost.  Of 512 axes 160 are left of embeddings like
# ViT-B/32's; fewer, with more candidates, and more, with fewer, took longer at the same recall.
_MAY_BE_LOST = 0.005
_AXES_AT_A_TIME = 16
_SAMPLE = 1 << 15
# What all texts share, as a part of the other moments: as much as it has (two thirds of a text's
# square) takes axes from what tells texts apart, none of it leaves out what tells images apart
# for all texts.  Recall at 160 axes among 512 of a million: 0.971, 0.968, and 0.980 with this.
_SHARED_BY_TEXTS = 0.3
# Below this part of the largest, a moment is raised to it, so that it can be divided by.
_LEAST_MOMENT = 1e-6


@dataclass(frozen=True)
class Projection:
    """``images`` and ``texts``, float32 ``[axes, dim]`` each: what either is multiplied with."""

    images: Vectors
    texts: Vectors

    @classmethod
    def learn(cls, vectors: Vectors, queries: Vectors) -> Self:
        """The axes for these images and for texts like these.

        Args:
            vectors: image embeddings, float32 ``[n, dim]``; a part of many is looked at.
            queries: text embeddings, float32 ``[m, dim]``; without any, images are what images
                are sought with.
        """
        chosen = np.random.default_rng(0).permutation(len(vectors))[:_SAMPLE]
        images = _covariance(vectors[np.sort(chosen)])
        # Few texts do not tell all that they may be about: images tell the rest.
        moments = images / max(np.trace(images), _LEAST_MOMENT)
        if len(queries):
            texts = _covariance(queries)
            shared = queries.mean(axis=0, dtype=np.float64)
            moments = moments + texts / max(np.trace(texts), _LEAST_MOMENT)
            square = max(shared @ shared, _LEAST_MOMENT)
            moments += _SHARED_BY_TEXTS * np.outer(shared, shared) / square
        root, inverse = _roots(moments)
        kept, directions = np.linalg.eigh(root @ images @ root)
        kept, directions = np.maximum(kept[::-1], 0), directions[:, ::-1]
        axes = _how_many(kept)
        order = _in_even_pairs(axes)
        return cls(
            (directions[:, order].T @ root).astype(np.float32),
            (directions[:, order].T @ inverse).astype(np.float32),
        )

    @property
    def axes(self) -> int:
        """How many are left."""
        return len(self.images)

    @property
    def dim(self) -> int:
        """The width of an embedding."""
        return int(self.images.shape[1])

    def of_images(self, vectors: Vectors) -> Vectors:
        """Images on these axes, float32 ``[n, axes]``."""
        return np.ascontiguousarray(vectors @ self.images.T, dtype=np.float32)

    def of_texts(self, queries: Vectors) -> Vectors:
        """Texts on these axes, float32 ``[n, axes]``.

        Each by itself: what one becomes does not depend, to its last bit, on the others.
        """
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        projected = np.empty((len(queries), self.axes), dtype=np.float32)
        for query, of in zip(queries, projected, strict=True):
            faiss.fvec_inner_products_ny(
                faiss.swig_ptr(of),
                faiss.swig_ptr(query),
                faiss.swig_ptr(self.texts),
                self.dim,
                self.axes,
            )
        return projected

    def save(self, folder: Path) -> str:
        """Write it into a folder, and give the file's name."""
        np.save(folder / PROJECTION, np.stack([self.images, self.texts]).astype("<f4"))
        return PROJECTION

    @classmethod
    def load(cls, folder: Folder) -> Self:
        """Read it from a bundle.

        Raises:
            DamagedError: it is damaged, or no such file.
        """
        content = folder.read(PROJECTION)
        folder.confirm(PROJECTION, content)
        path = folder.path / PROJECTION
        both = read_array(content, np.dtype("<f4"), path)
        if both.ndim != 3 or len(both) != 2:
            raise DamagedError(f"{path} is no projection. Build it again.")
        return cls(both[0], both[1])


def _covariance(vectors: Vectors) -> _Matrix:
    """How vectors vary, float64 ``[dim, dim]``."""
    apart = vectors - vectors.mean(axis=0)
    covariance: _Matrix = (apart.T @ apart).astype(np.float64) / len(vectors)
    return covariance


def _roots(moments: _Matrix) -> tuple[_Matrix, _Matrix]:
    """The root of a matrix of moments, and its inverse."""
    sizes, directions = np.linalg.eigh(moments)
    root = np.sqrt(np.maximum(sizes, max(_LEAST_MOMENT * sizes[-1], _LEAST_MOMENT)))
    return (directions * root) @ directions.T, (directions / root) @ directions.T


def _how_many(kept: NDArray[np.float64]) -> int:
    """How many axes are needed, an even number, where each keeps so much of the variance."""
    lost = kept.sum() - np.cumsum(kept)
    needed = 1 + int(np.argmax(lost <= _MAY_BE_LOST * kept.sum()))
    return min(-(-needed // _AXES_AT_A_TIME) * _AXES_AT_A_TIME, len(kept) // 2 * 2)


def _in_even_pairs(axes: int) -> NDArray[np.int64]:
    """The axes so that the largest stands beside the smallest: a code is of two that lie together.

    Any code has as many bits, and pairs that vary about alike lose least.
    """
    order = np.arange(axes)
    order[0::2], order[1::2] = np.arange(axes // 2), np.arange(axes // 2, axes)[::-1]
    return order
