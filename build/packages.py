"""Model packages as the build's commands take them."""

from __future__ import annotations

from pathlib import Path

from build.errors import BuildError
from models.manifest import (
    IMAGE_ENCODER,
    MODEL_CARD,
    TEXT_ENCODER,
    TOKENIZER,
    ModelCard,
    verify_files,
)

DEMO_MODEL = Path(__file__).resolve().parent.parent / "demo" / "model"
PACKAGE_FILES = (TOKENIZER, TEXT_ENCODER, IMAGE_ENCODER)


def open_package(folder: Path) -> ModelCard:
    """The card of a model package, after every file of it has been checked.

    Raises:
        BuildError: there is no package in the folder.
        DamagedError: names the file that is missing or altered.
    """
    if not (folder / MODEL_CARD).exists():
        if folder == DEMO_MODEL:
            raise BuildError(
                f"the embedded demo model is missing: {folder / MODEL_CARD} does not exist. "
                "Get the checkout whole, or give another model with --model."
            )
        raise BuildError(
            f"{folder} is no model package: {folder / MODEL_CARD} does not exist. Make one: "
            f"python -m build model --model {folder.name} --output artifacts/{folder.name.lower()}"
        )
    card = ModelCard.read(folder)
    missing = set(PACKAGE_FILES) - set(card.files)
    if missing:
        raise BuildError(f"{folder / MODEL_CARD} does not list {', '.join(sorted(missing))}.")
    verify_files(folder, card.files)
    return card
