"""Training the image tower's head on drawings and their texts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from tqdm import trange

from build.demo_model.image_tower import Head

_BATCH = 512
_RATE = 2e-3
_DECAY = 0.05
_DROPOUT = 0.3
_TEMPERATURE = 0.05
_TARGET_TEMPERATURE = 0.07


@dataclass(frozen=True)
class Drawings:
    """What the head learns from.

    ``features`` is ``[views, images, 2136]``; ``concept`` ``[images]`` names each
    image's concept by number; ``texts`` are the vectors of all concepts' texts in their
    concepts' order, ``starts`` ``[concepts + 1]`` where each concept's begin; ``weight``
    ``[images]`` says how often each image is drawn.
    """

    features: torch.Tensor
    concept: torch.Tensor
    texts: torch.Tensor
    starts: torch.Tensor
    weight: torch.Tensor


def train_head(drawings: Drawings, *, epochs: float, seed: int) -> Head:
    """A head that puts each drawing nearest to its concept's texts among all concepts'.

    For each step every concept is represented by one of its texts.  The loss is the mean
    of two cross entropies: to the concept itself, and to all concepts by how near their
    texts are to it, since "dog" is no wrong answer to "dog face".
    """
    torch.manual_seed(seed)
    views, images, _ = drawings.features.shape
    mean = drawings.features.mean((0, 1))
    deviation = drawings.features.std((0, 1)) + 1e-3
    head = Head(mean, deviation, drawings.texts.shape[1], _DROPOUT)
    optimiser = torch.optim.AdamW(head.parameters(), lr=_RATE, weight_decay=_DECAY)
    counts = drawings.starts[1:] - drawings.starts[:-1]
    steps = int(epochs * images / _BATCH)
    for step in trange(steps, desc="head", unit="step"):
        rows = torch.multinomial(drawings.weight, _BATCH, replacement=True)
        view = torch.randint(views, (_BATCH,))
        drawn = drawings.starts[:-1] + (torch.rand(len(counts)) * counts).long()
        texts = drawings.texts[drawn]
        concept = drawings.concept[rows]
        for group in optimiser.param_groups:
            cosine = 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.01
            group["lr"] = _RATE * min(1.0, (step + 1) / 100) * cosine
        scores = head(drawings.features[view, rows]) @ texts.T / _TEMPERATURE
        nearness = torch.softmax(texts[concept] @ texts.T / _TARGET_TEMPERATURE, 1)
        soft = -(nearness * F.log_softmax(scores, 1)).sum(1).mean()
        loss = 0.5 * soft + 0.5 * F.cross_entropy(scores, concept)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    head.eval()
    return head
