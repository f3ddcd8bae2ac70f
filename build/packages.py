"""Model packages as the build's commands take them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from build.errors import BuildError
from models.installation import command
from models.manifest import (
    IMAGE_ENCODER,
    MODEL_CARD,
    TEXT_ENCODER,
    TOKENIZER,
    ModelCard,
    verify_files,
)

if TYPE_CHECKING:
    from models.image_encoder import ImageEncoder
    from models.text_encoder import TextEncoder
    from models.tokenizer import Tokenizer

DEMO_MODEL = Path(__file__).resolve().parent.parent / "demo" / "model"
PACKAGE_FILES = (TOKENIZER, TEXT_ENCODER, IMAGE_ENCODER)


@dataclass(frozen=True)
class Package:
    """A model package, whole, whose encoders give the golden embeddings on this machine.

    ``image_encoder`` is None where no image is to be embedded.
    """

    folder: Path
    card: ModelCard
    tokenizer: Tokenizer
    text_encoder: TextEncoder
    image_encoder: ImageEncoder | None


def open_package(folder: Path, *, text_threads: int = 1, image_threads: int | None = 1) -> Package:
    """Check every file of a model package, load it, and compare its golden embeddings.

    Args:
        folder: the package.
        text_threads: how many threads one run of the text encoder may use.
        image_threads: the same of the image encoder, which may take more memory than all
            else; None does not load it.

    Raises:
        BuildError: there is no package in the folder.
        DamagedError: names the file that is missing or altered, or the text or image whose
            embedding this machine computes otherwise.
    """
    # Here, since the command line names the demo's package in its help, and starts sooner
    # without the encoders.
    from models.golden import compare_image, compare_texts
    from models.image_encoder import ImageEncoder
    from models.text_encoder import TextEncoder
    from models.tokenizer import Tokenizer

    card = _whole(folder)
    tokenizer = Tokenizer.load(folder, card)
    text_encoder = TextEncoder(folder, card, threads=text_threads)
    compare_texts(folder, card, tokenizer, text_encoder)
    image_encoder = None
    if image_threads is not None:
        image_encoder = ImageEncoder(folder, card, threads=image_threads)
        compare_image(folder, card, image_encoder)
    return Package(folder, card, tokenizer, text_encoder, image_encoder)


def _whole(folder: Path) -> ModelCard:
    """The card of a model package, after every file of it has been checked."""
    if not (folder / MODEL_CARD).exists():
        if folder == DEMO_MODEL:
            raise BuildError(
                f"the embedded demo model is missing: {folder / MODEL_CARD} does not exist. "
                "Get the checkout whole, or give another model with --model."
            )
        raise BuildError(
            f"{folder} is no model package: {folder / MODEL_CARD} does not exist. Make one: "
            + command(f"model --model {folder.name} --output artifacts/{folder.name.lower()}")
        )
    card = ModelCard.read(folder)
    missing = set(PACKAGE_FILES) - set(card.files)
    if missing:
        raise BuildError(f"{folder / MODEL_CARD} does not list {', '.join(sorted(missing))}.")
    verify_files(folder, card.files)
    return card
