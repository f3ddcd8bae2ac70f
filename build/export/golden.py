"""The golden embeddings of a package: what open_clip gives for some texts and one image.

They come from open_clip's own tokenizer, image transform and model in float32, never from
the exported graphs; what compares with them is :mod:`models.golden`.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import torch
from open_clip.transform import PreprocessCfg, image_transform_v2

from build.errors import BuildError
from build.export.checkpoint import Checkpoint
from build.export.verify import TOLERANCE
from models.golden import compare_image, compare_texts, pack, text_drift
from models.golden_image import golden_image
from models.image_encoder import ImageEncoder
from models.manifest import DamagedError, Golden, GoldenText, ModelCard, Tolerance
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer

# One word; an ordinary query; capitals, which some models fold; signs, which some drop; what
# is not ASCII; more than any context holds.
_TEXTS = (
    "fox",
    "a red fox in the snow",
    "A photo of the Eiffel Tower in PARIS",
    "don't stop: 50% off, 3.14!",
    "Zürich, café au lait, 東京の夜景 🦊",
    "one two three four five six seven " * 40,
)
# A rounded graph differs from open_clip; on another processor some roundings fall the other
# way, which in the demo's model moved a vector by up to 0.6 of that difference.  What differs
# by more than twice as much does not come from rounding.
_MARGIN = 2


@torch.no_grad()
def golden_embeddings(checkpoint: Checkpoint) -> Golden:
    """What open_clip gives, with the tolerance that float32 graphs are held to.

    The tolerance is the export's own, :data:`build.export.verify.TOLERANCE`.  It is the same
    for the image, since :func:`models.preprocessing.preprocess` gives the same pixels as
    open_clip to the bit, in every resize mode and interpolation.
    """
    ids = checkpoint.tokenizer(list(_TEXTS), context_length=checkpoint.context_length)
    texts = checkpoint.model.encode_text(ids)  # type: ignore[operator]
    settings = checkpoint.preprocessing
    transform = image_transform_v2(
        PreprocessCfg(
            size=(settings.height, settings.width),
            mean=settings.mean,
            std=settings.std,
            interpolation=settings.interpolation,
            resize_mode=settings.resize_mode,
            fill_color=settings.fill_color,
        ),
        is_train=False,
    )
    pixels = transform(golden_image())
    image = checkpoint.model.encode_image(pixels.unsqueeze(0))[0]  # type: ignore[operator]
    float32 = Tolerance(largest=TOLERANCE, because="float32 sums in another order")
    return Golden(
        computed_by=", ".join(
            f"{name} {importlib.metadata.version(name)}" for name in ("open_clip_torch", "torch")
        ),
        texts=[
            GoldenText(text=text, embedding=_packed(vector))
            for text, vector in zip(_TEXTS, texts, strict=True)
        ],
        text_tolerance=float32,
        image=_packed(image),
        image_tolerance=float32,
    )


def refuse_other_embeddings(folder: Path, card: ModelCard) -> None:
    """Compare a package that is being made, as whoever opens it will.

    Raises:
        BuildError: its float32 graphs do not give the golden embeddings.
    """
    try:
        compare_texts(folder, card, Tokenizer.load(folder, card), TextEncoder(folder, card))
        compare_image(folder, card, ImageEncoder(folder, card))
    except DamagedError as error:
        raise BuildError(
            f"the export drifts from open_clip. {error} Nothing was written."
        ) from None


def with_room_for_rounding(folder: Path, card: ModelCard, precision: str) -> Golden:
    """The card's golden embeddings, the texts' tolerance that of the rounded graph in ``folder``.

    Args:
        folder: the package that is being made.
        card: what the model is.
        precision: the graph's, as users call it.
    """
    golden = card.golden
    tokenizer, encoder = Tokenizer.load(folder, card), TextEncoder(folder, card)
    measured = text_drift(folder, card, tokenizer, encoder, golden.texts).largest
    tolerance = Tolerance(
        largest=max(_MARGIN * measured, TOLERANCE),
        because=f"{_MARGIN} times what the {precision} text graph differed by at its export",
    )
    return golden.model_copy(update={"text_tolerance": tolerance})


def _packed(embedding: torch.Tensor) -> str:
    return pack(torch.nn.functional.normalize(embedding.float(), dim=-1).numpy())
