"""The trained model through the ordinary export."""

from __future__ import annotations

from pathlib import Path

from open_clip.tokenizer import SimpleTokenizer

from build.demo_model.features import PREPROCESSING
from build.demo_model.student import CONTEXT_LENGTH
from build.demo_model.teacher import DIM
from build.demo_model.train import DemoModel
from build.export import Checkpoint, export
from models.manifest import ModelCard

_DESCRIPTION = (
    "Sightline's small CLIP: EfficientNet-Lite0 with ConSE and heads trained on drawings; "
    "a text tower of four layers taught by MiniLM. See MODEL_CARD.md."
)


def export_package(model: DemoModel, tokenizer: SimpleTokenizer, output: Path) -> ModelCard:
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
        causal=True,
        embedding_dim=DIM,
    )
    return export(checkpoint, output, "auto")
