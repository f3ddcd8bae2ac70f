"""What this machine computes against the embeddings that the model's makers would get.

A file's hash says that it is the one that was written, not that this machine's ONNX Runtime
computes with it what the checkpoint means: kernels differ between processors and releases,
and so do tokenizers and Pillow.  A package therefore carries a handful of texts and one
image (:mod:`models.golden_image`) with their embeddings
(:class:`~models.manifest.Golden`), and whoever opens it compares before the first use.

    >>> compare_texts(folder, card, tokenizer, text_encoder)
    >>> compare_image(folder, card, image_encoder)
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models.installation import command
from models.manifest import DamagedError, GoldenText, ModelCard, Tolerance
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer

if TYPE_CHECKING:
    from models.image_encoder import ImageEncoder

# Little-endian float32, whatever the machine.
_STORED = np.dtype("<f4")


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the worst of some embeddings is from what it should be.

    ``cosine`` is between the two, ``largest`` the largest absolute difference of one
    number; NaN where there is no number.
    """

    name: str
    cosine: float
    largest: float


def pack(vector: NDArray[np.float32]) -> str:
    """An embedding, float32 ``[dim]``, as a model card holds it."""
    return base64.b64encode(vector.astype(_STORED).tobytes()).decode("ascii")


def unpack(embedding: str) -> NDArray[np.float32]:
    """The inverse of :func:`pack`."""
    return np.frombuffer(base64.b64decode(embedding), dtype=_STORED).astype(np.float32)


def compare_texts(
    folder: Path,
    card: ModelCard,
    tokenizer: Tokenizer,
    encoder: TextEncoder,
    *,
    quickly: bool = False,
) -> None:
    """Compare the golden texts, tokenizer included.

    Args:
        folder: the package or bundle, for the message.
        card: what the model is.
        tokenizer: its tokenizer.
        encoder: its text encoder.
        quickly: leave out texts that are not ASCII. Cleaning those loads ftfy, which takes
            45 ms of Python: a service, which starts in a second, leaves them to the build.

    Raises:
        DamagedError: names the text that differs most, by how much, and what to do.
    """
    quick = [each for each in card.golden.texts if each.text.isascii()] if quickly else []
    drift = text_drift(folder, card, tokenizer, encoder, quick or card.golden.texts)
    _refuse(folder, card, drift, card.golden.text_tolerance)


def compare_image(folder: Path, card: ModelCard, encoder: ImageEncoder) -> None:
    """Compare the golden image, preprocessing included.

    Raises:
        DamagedError: says by how much it differs, and what to do.
    """
    # Here, since a service that is sent no images needs none of it.
    from models.golden_image import golden_image
    from models.preprocessing import preprocess

    pixels = preprocess(golden_image(), card.preprocessing)
    try:
        found = encoder.encode(pixels[np.newaxis])
    except Exception as error:
        raise _failure(folder, "image encoder", error) from None
    drift = _worst(["the golden image"], found, [card.golden.image])
    _refuse(folder, card, drift, card.golden.image_tolerance)


def text_drift(
    folder: Path,
    card: ModelCard,
    tokenizer: Tokenizer,
    encoder: TextEncoder,
    texts: Sequence[GoldenText],
) -> Drift:
    """How far the worst of some golden texts is from its embedding.

    Raises:
        DamagedError: the encoder fails on what the tokenizer gives it.
    """
    try:
        found = encoder.encode(tokenizer.encode([each.text for each in texts]))
    except Exception as error:
        raise _failure(folder, "text encoder", error) from None
    names = [f"the text {_shortened(each.text)!r}" for each in texts]
    return _worst(names, found, [each.embedding for each in texts])


def _failure(folder: Path, what: str, error: Exception) -> DamagedError:
    # ONNX Runtime's words have several lines.
    words = " ".join(str(error).split())
    return DamagedError(
        f"{folder}: the {what} fails: {words} Export the model again: {command('model')}."
    )


def _worst(names: Sequence[str], found: NDArray[np.float32], golden: Sequence[str]) -> Drift:
    expected = np.stack([unpack(embedding) for embedding in golden])
    largest = np.abs(found - expected).max(axis=1)
    # The first NaN, where there is one.
    worst = int(largest.argmax())
    one, other = found[worst].astype(np.float64), expected[worst].astype(np.float64)
    # Harmless: what is no number is a drift, and its cosine is told as such.
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = one @ other / (np.linalg.norm(one) * np.linalg.norm(other))
    return Drift(names[worst], float(cosine), float(largest[worst]))


def _refuse(folder: Path, card: ModelCard, drift: Drift, tolerance: Tolerance) -> None:
    # Written so that NaN is refused, too.
    if drift.largest <= tolerance.largest:
        return
    raise DamagedError(
        f"{folder}: {drift.name} gets another embedding here than by {card.golden.computed_by}: "
        f"cosine {drift.cosine:.6f}, largest difference {drift.largest:.2g} where "
        f"{tolerance.largest:.2g} is allowed ({tolerance.because}). {_advice(card)}"
    )


def _advice(card: ModelCard) -> str:
    here, at_the_export = ort.__version__, card.versions.get("onnxruntime")
    again = f"export the model again on this machine ({command('model')}), then its bundles."
    if at_the_export in (here, None):
        return f"ONNX Runtime is {here}: {again}"
    return f"ONNX Runtime is {here}, at the export it was {at_the_export}: install that, or {again}"


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
