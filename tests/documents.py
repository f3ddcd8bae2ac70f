"""Documents that say nothing in particular, for tests of what is done with them."""

from __future__ import annotations

import numpy as np

from models.golden import pack
from models.manifest import (
    FileRecord,
    Golden,
    GoldenText,
    IndexFacts,
    Manifest,
    ModelCard,
    Preprocessing,
    TextTokens,
    Tolerance,
    Verification,
)


def card() -> ModelCard:
    return ModelCard(
        name="tïny",
        pretrained="random",
        embedding_dim=8,
        context_length=16,
        any_length=True,
        text_precision="fp32",
        tokens=TextTokens(cleaning="lower", start_id=1, end_id=2, pad_id=0),
        preprocessing=Preprocessing(height=8, width=8, mean=(0, 0, 0), std=(1, 1, 1)),
        verification=Verification(texts=1, images=1, max_text_difference=0, max_image_difference=0),
        golden=golden(),
        versions={},
        created="2026-01-01T00:00:00Z",
    )


def golden() -> Golden:
    embedding = pack(np.full(8, 8**-0.5, dtype=np.float32))
    tolerance = Tolerance(largest=1e-4, because="as for any")
    return Golden(
        computed_by="nobody",
        texts=[GoldenText(text="a fox", embedding=embedding)],
        text_tolerance=tolerance,
        image=embedding,
        image_tolerance=tolerance,
    )


def manifest(files: dict[str, FileRecord] | None = None) -> Manifest:
    return Manifest(
        model=card(),
        index=IndexFacts(kind="flat", metric="ip"),
        images=1,
        mean=[0.0] * 8,
        floor=None,
        image_root="/photos",
        versions={},
        made_of="",
        created="2026-01-01T00:00:00Z",
        files=files or {},
    )
