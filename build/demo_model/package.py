"""The trained model through the ordinary export."""

from __future__ import annotations

from pathlib import Path

import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import nn

from build.demo_model.features import PREPROCESSING
from build.demo_model.image_tower import ImageTower
from build.demo_model.model import DemoModel
from build.demo_model.student import CONTEXT_LENGTH
from build.demo_model.teacher import DIM
from build.export import Checkpoint, export
from build.export.precision import Precision
from models.manifest import ModelCard

_DESCRIPTION = (
    "Sightline's small CLIP: EfficientNet-Lite2 with ConSE and heads trained on drawings; "
    "a text tower of four layers taught by MPNet. See MODEL_CARD.md."
)


def export_package(
    model: DemoModel,
    tokenizer: SimpleTokenizer,
    output: Path,
    precision: Precision = "auto",
) -> ModelCard:
    """Verify, quantise if retrieval allows, and write the package.

    Raises:
        BuildError: the exported graphs drift from the model.
    """
    checkpoint = Checkpoint(
        name="sightline-demo",
        pretrained="sightline",
        licence="Apache-2.0",
        description=_DESCRIPTION,
        model=model,
        tokenizer=tokenizer,
        preprocessing=PREPROCESSING,
        context_length=CONTEXT_LENGTH,
        embedding_dim=DIM,
    )
    return export(checkpoint, output, precision)


def export_variants(model: DemoModel, tokenizer: SimpleTokenizer, output: Path) -> None:
    """Write what the model card compares the package with: ``fp32`` and ``conse-alone``.

    Raises:
        BuildError: the exported graphs drift from the model.
    """
    export_package(model, tokenizer, output / "fp32", "fp32")
    tower = model.visual
    alone = ImageTower(tower.backbone, _NoHead(), tower.conse, tower.gate, (1.0, 1.0))
    export_package(DemoModel(model.text, alone).eval(), tokenizer, output / "conse-alone")


class _NoHead(nn.Module):
    """Has no opinion of any image."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features ``[n, f]`` to zeros ``[n, 1]``."""
        return torch.zeros_like(features[:, :1])
