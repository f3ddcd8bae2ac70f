"""The image tower: a frozen backbone, ConSE, and heads that have learned drawings.

ConSE (Norouzi et al. 2014, "Zero-shot learning by convex combination of semantic
embeddings") takes what the classifier thinks of an image and mixes the *text* vectors
of the likeliest classes.  It knows photographs.  The heads map the backbone's features,
and have been trained on drawings.  An image's vector is the sum of both.  Each part is as
long as its voices agree, and ConSE's weighs more the more the image looks like a
photograph: that of a known thing is ConSE's matter, a drawing the heads'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import nn

from build.demo_model.backbone import FEATURES, see

TEMPERATURE = 1.0
NEAREST_CLASSES = 50
HIDDEN = 512
# So far on the way from drawings to photographs an image counts as a photograph: those of
# single things on white do not come farther.
_SURE = 0.25


class Head(nn.Module):
    """Standardised features to unit vectors by way of one hidden layer."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, mean: torch.Tensor, deviation: torch.Tensor, dim: int, dropout: float):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.layers = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(len(mean), HIDDEN),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(HIDDEN, dim),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features ``[n, mean]`` to unit vectors ``[n, dim]``."""
        standardised = (features - self.mean) / self.deviation
        return F.normalize(self.layers(standardised), dim=-1)


class Committee(nn.Module):
    """Several heads together: what they agree on is in the drawings, the rest is chance.

    Args:
        heads: trained on the same drawings from different seeds.
    """

    def __init__(self, heads: Sequence[Head]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features ``[n, mean]`` to vectors ``[n, dim]``, as long as the heads agree."""
        return torch.stack([head(features) for head in self.heads]).mean(0)


class ConSE(nn.Module):
    """Class scores to a mixture of the classes' text vectors.

    Args:
        class_vectors: float32 ``[1000, dim]``, unit length.
    """

    class_vectors: torch.Tensor

    def __init__(self, class_vectors: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("class_vectors", class_vectors)

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        """Scores ``[n, 1000]`` to vectors ``[n, dim]``, as long as the classes agree."""
        likeliest, classes = (scores / TEMPERATURE).topk(NEAREST_CLASSES, dim=-1)
        shares = torch.softmax(likeliest, dim=-1)
        vectors: torch.Tensor = self.class_vectors[classes]
        return (shares.unsqueeze(-1) * vectors).sum(1)


class PhotographGate(nn.Module):
    """How much an image looks like a photograph rather than a drawing.

    The direction is Fisher's linear discriminant, its covariance that of the drawings with
    the diagonal doubled.

    Args:
        drawings: features of drawings, float32 ``[n, 1280 + s]``.
        photographs: the last ``s`` features' means over photographs
            (:func:`build.demo_model.backbone.photograph_means`).
    """

    direction: torch.Tensor
    offset: torch.Tensor

    def __init__(self, drawings: torch.Tensor, photographs: torch.Tensor) -> None:
        super().__init__()
        stages = drawings[:, FEATURES:].double()
        mean, covariance = stages.mean(0), stages.T.cov()
        between = photographs.double() - mean
        direction = torch.linalg.solve(covariance + covariance.diag().diag(), between)
        direction /= _SURE * direction @ between
        self.register_buffer("direction", direction.float())
        self.register_buffer("offset", (direction @ mean).float())

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features ``[n, 1280 + s]`` to ``[n, 1]`` from 0, a drawing, to 1, a photograph."""
        along = features[:, FEATURES:] @ self.direction - self.offset
        return along.clamp(0, 1).unsqueeze(1)


class ImageTower(nn.Module):
    """Images to vectors: float32 ``[n, 3, 260, 260]`` to ``[n, dim]``, unit length.

    Args:
        backbone: see :mod:`build.demo_model.backbone`.
        head: features to vectors of at most unit length.
        conse: class scores to vectors.
        gate: which of the two weights applies to an image, and how far.
        weights: of ConSE in a drawing and in a photograph; the head's is 1.
    """

    def __init__(
        self,
        backbone: Any,
        head: nn.Module,
        conse: ConSE,
        gate: PhotographGate,
        weights: tuple[float, float],
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.conse = conse
        self.gate = gate
        self.weights = weights

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Preprocessed images to their vectors."""
        return self.embed(see(self.backbone, pixels))

    def embed(self, features: torch.Tensor) -> torch.Tensor:
        """The vectors of images whose features (:func:`see`) are known."""
        scores = self.backbone.classifier(features[:, :FEATURES])
        drawing, photograph = self.weights
        weight = drawing + (photograph - drawing) * self.gate(features)
        return F.normalize(self.head(features) + weight * self.conse(scores), dim=-1)
