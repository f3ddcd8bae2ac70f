"""The exported graphs against open_clip, before anything is written for good."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from build.errors import BuildError
from build.export.checkpoint import Checkpoint
from models.image_encoder import ImageEncoder
from models.manifest import ModelCard
from models.preprocessing import preprocess
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer

# What float32 arithmetic in another order may differ by, with room for deep towers.
TOLERANCE = 1e-4
_QUERIES = Path(__file__).parent / "queries.txt"
_ODD_TEXTS = (
    " ", ".", "a", "I", "fox", "Fox", "FOX", "  two   spaces\tand\na line  ", "a" * 300,
    "a very long description " * 40, "one two three " * 24 + "four", "don't, I'll, we've",
    "café au lait", "Zürich, Ærø, Łódź", "naïve façade", "Ⅷ ½ ２０２６", "東京の夜景", "서울의 밤",
    "лиса в снегу", "αλεπού στο χιόνι", "ثعلب أحمر", "שועל אדום", "लाल लोमड़ी", "🦊",
    "a 🦊 in the ❄️",
    "👩‍👩‍👧‍👦 family", "&lt;b&gt; &amp;amp; &quot;fox&quot;", "caf\u00c3\u00a9", "“quoted” — dash…",
    "http://example.org/a?b=c&d=e", "3.14159 and 1,000,000", "___ !!! ??? ###", "ﬁsh ﬂour",
    "a <end_of_text> b", "a </s> b [SEP] c <pad> d", "x\u0000y\u200bz",
)  # fmt: skip


def verification_queries() -> list[str]:
    """Some two hundred things that people look for, from ``queries.txt``."""
    return _QUERIES.read_text(encoding="utf-8").splitlines()


def verification_texts() -> list[str]:
    """At least 64 texts: odd ones of every kind, and ordinary queries of mixed lengths."""
    return [*_ODD_TEXTS, *verification_queries()[:40]]


def verify_texts(checkpoint: Checkpoint, card: ModelCard, folder: Path) -> float:
    """The largest difference of a text's vector from open_clip's.

    Ids have to be the same, and vectors too, one by one and in batches of 33.

    Raises:
        BuildError: names the text that drifts.
    """
    texts = verification_texts()
    tokenizer = Tokenizer.load(folder, card)
    encoder = TextEncoder(folder, card)
    truth = checkpoint.tokenizer(texts, context_length=checkpoint.context_length)
    ids = tokenizer.encode(texts)
    for text, mine, its in zip(texts, ids, truth.tolist(), strict=True):
        padding = [card.tokens.pad_id] * (checkpoint.context_length - len(mine))
        if mine + padding != its:
            raise BuildError(
                f"the exported tokenizer drifts from open_clip's at the text {text[:60]!r}: "
                f"{mine[:12]}… instead of {its[:12]}…. Nothing was written."
            )
    with torch.no_grad():
        expected = torch.nn.functional.normalize(checkpoint.model.encode_text(truth), dim=-1)  # type: ignore[operator]
    alone = np.concatenate([encoder.encode([one]) for one in ids])
    together = np.concatenate([encoder.encode(ids[at : at + 33]) for at in range(0, len(ids), 33)])
    return max(
        _largest(alone, expected.numpy(), [f"the text {text[:60]!r}" for text in texts]),
        _largest(together, expected.numpy(), [f"the text {text[:60]!r}" for text in texts]),
    )


def verify_images(checkpoint: Checkpoint, card: ModelCard, folder: Path) -> float:
    """The largest difference of an image's vector from open_clip's, over 8 images.

    Raises:
        BuildError: names the image that drifts.
    """
    pixels = np.stack([preprocess(image, card.preprocessing) for image in sample_images(8)])
    with torch.no_grad():
        features = checkpoint.model.encode_image(torch.from_numpy(pixels))  # type: ignore[operator]
        expected = torch.nn.functional.normalize(features, dim=-1)
    found = ImageEncoder(folder, card).encode(pixels)
    return _largest(found, expected.numpy(), [f"sample image {n}" for n in range(8)])


def sample_images(count: int) -> list[Image.Image]:
    """Images of waves and noise in every proportion, the same each time."""
    chance = np.random.default_rng(0)
    images = []
    for _ in range(count):
        height, width = chance.integers(60, 400, size=2)
        rows, columns = np.mgrid[0:height, 0:width]
        waves = [
            np.sin(rows * a + columns * b + c)
            for a, b, c in zip(
                *chance.uniform(-0.2, 0.2, (2, 3)), chance.uniform(0, 6, 3), strict=True
            )
        ]
        noise = chance.normal(0, 0.2, (height, width, 3))
        values = np.clip((np.stack(waves, axis=-1) + noise + 1) * 127, 0, 255)
        images.append(Image.fromarray(values.astype(np.uint8)))
    return images


def _largest(
    found: NDArray[np.float32], expected: NDArray[np.float32], names: Sequence[str]
) -> float:
    differences = np.abs(found - expected).max(axis=1)
    worst = int(differences.argmax())
    # Written so that NaN is drift, too.
    if not differences.max() <= TOLERANCE:
        raise BuildError(
            f"the exported graph drifts from open_clip: {names[worst]} differs by "
            f"{differences[worst]:.2g}, more than {TOLERANCE:g}. Nothing was written."
        )
    return float(differences.max())
