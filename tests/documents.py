"""Documents that say nothing in particular, for tests of what is done with them."""

from __future__ import annotations

from models.manifest import (
    FileRecord,
    IndexFacts,
    Manifest,
    ModelCard,
    Preprocessing,
    TextTokens,
    Verification,
)


def card() -> ModelCard:
    return ModelCard(
        name="tïny",
        pretrained="random",
        embedding_dim=8,
        context_length=16,
        causal=True,
        text_precision="fp32",
        tokens=TextTokens(cleaning="lower", start_id=1, end_id=2, pad_id=0),
        preprocessing=Preprocessing(height=8, width=8, mean=(0, 0, 0), std=(1, 1, 1)),
        verification=Verification(
            texts=1, pictures=1, max_text_difference=0, max_image_difference=0
        ),
        versions={},
        created="2026-01-01T00:00:00Z",
    )


def manifest(files: dict[str, FileRecord] | None = None) -> Manifest:
    return Manifest(
        model=card(),
        index=IndexFacts(kind="flat", metric="ip"),
        pictures=1,
        mean=[0.0] * 8,
        picture_root="/photos",
        versions={},
        created="2026-01-01T00:00:00Z",
        files=files or {},
    )
