"""A checkpoint into a model package: exported, verified, quantised where that does no harm."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image

from build.errors import BuildError
from build.export.checkpoint import Checkpoint, activation_of
from build.export.golden import (
    golden_embeddings,
    refuse_other_embeddings,
    with_room_for_rounding,
)
from build.export.storage import store_exactly
from build.export.text_graph import text_graph
from build.export.text_tower import take_apart
from build.export.tokenizer_file import write_tokenizer
from build.export.traced import image_graph, masks_its_padding, traced_text_graph
from build.export.verify import (
    sample_pictures,
    verification_queries,
    verification_texts,
    verify_pictures,
    verify_texts,
)
from models.image_encoder import ImageEncoder
from models.manifest import (
    IMAGE_ENCODER,
    MODEL_CARD,
    TEXT_ENCODER,
    TOKENIZER,
    ModelCard,
    Verification,
    record_files,
)
from models.pictures import decode, preprocess
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer

Precision = Literal["auto", "int8", "fp32"]

# int8 is kept where it finds this share of the ten pictures that fp32 finds.
LEAST_OVERLAP = 0.97
_GALLERY = Path(__file__).resolve().parents[2] / "demo" / "gallery"
_GATE_PICTURES = 256
_PICTURES = 8
_THREADS = os.cpu_count() or 1
_LIBRARIES = ("torch", "open_clip_torch", "onnx", "onnxruntime", "tokenizers")


def export(checkpoint: Checkpoint, output: Path, precision: Precision) -> ModelCard:
    """Write a model package.

    It is made in a folder beside ``output`` and takes its place only when everything is
    verified.  Files in ``output`` that are not the package's own (a licence, a longer
    model card) are kept.

    Raises:
        BuildError: the export drifts from open_clip, int8 was asked for and cannot be
            had, or ``output`` is something else than a model package.
    """
    _refuse_strangers(output)
    part = output.with_name(f".{output.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        card = _export_into(part, checkpoint, precision)
        _replace(part, output)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return card


def _export_into(folder: Path, checkpoint: Checkpoint, precision: Precision) -> ModelCard:
    tower = take_apart(checkpoint.model)
    if tower is None and precision == "int8":
        raise BuildError(
            f"the text tower of {checkpoint.name} is of a kind that cannot be quantised here: "
            "use --precision fp32"
        )
    tokens = write_tokenizer(checkpoint.tokenizer, checkpoint.context_length, folder / TOKENIZER)
    if tower is None:
        any_length = masks_its_padding(checkpoint.model, checkpoint.tokenizer)
        text = traced_text_graph(checkpoint.model, checkpoint.context_length, any_length)
    else:
        any_length = tower.causal
        text = text_graph(tower, "fp32")
    onnx.save(text, folder / TEXT_ENCODER)
    size = checkpoint.preprocessing
    image = image_graph(checkpoint.model, size.height, size.width)
    store_exactly(image)
    onnx.save(image, folder / IMAGE_ENCODER)

    card = ModelCard(
        name=checkpoint.name,
        pretrained=checkpoint.pretrained,
        licence=checkpoint.licence,
        description=checkpoint.description,
        embedding_dim=checkpoint.embedding_dim,
        context_length=checkpoint.context_length,
        any_length=any_length,
        activation=activation_of(checkpoint.model),
        text_precision="fp32",
        tokens=tokens,
        preprocessing=checkpoint.preprocessing,
        verification=Verification(
            texts=len(verification_texts()),
            pictures=_PICTURES,
            max_text_difference=0,
            max_image_difference=0,
        ),
        golden=golden_embeddings(checkpoint),
        versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    measured = {
        "max_text_difference": verify_texts(checkpoint, card, folder),
        "max_image_difference": verify_pictures(checkpoint, card, folder),
    }
    refuse_other_embeddings(folder, card)
    golden = card.golden
    chosen: Literal["fp32", "int8"] = "fp32"
    overlap: float | None = None
    if tower is not None and precision != "fp32":
        pictures = _embed_gate_pictures(folder, card)
        nearest = _nearest(pictures, folder, card)
        onnx.save(text_graph(tower, "int8"), folder / TEXT_ENCODER)
        overlap = _overlap(nearest, _nearest(pictures, folder, card))
        if precision == "int8" or overlap >= LEAST_OVERLAP:
            chosen = "int8"
            golden = with_room_for_rounding(folder, card, chosen)
        else:
            onnx.save(text, folder / TEXT_ENCODER)
    card = card.model_copy(
        update={
            "text_precision": chosen,
            "golden": golden,
            "verification": card.verification.model_copy(
                update=measured | {"int8_overlap_at_10": overlap}
            ),
            "files": record_files(folder, (TOKENIZER, TEXT_ENCODER, IMAGE_ENCODER)),
        }
    )
    card.write(folder)
    return card


def _embed_gate_pictures(folder: Path, card: ModelCard) -> NDArray[np.float32]:
    encoder = ImageEncoder(folder, card, threads=_THREADS)
    pixels = (preprocess(picture, card.preprocessing) for picture in _gate_pictures())
    return np.concatenate([encoder.encode(one[np.newaxis]) for one in pixels])


def _nearest(pictures: NDArray[np.float32], folder: Path, card: ModelCard) -> NDArray[np.int64]:
    """The ten pictures nearest to each verification query, int64 ``[queries, 10]``."""
    ids = Tokenizer.load(folder, card).encode(verification_queries())
    texts = TextEncoder(folder, card, threads=_THREADS).encode(ids)
    return np.argsort(-(texts @ pictures.T), axis=1)[:, :10]


def _gate_pictures() -> list[Image.Image]:
    """Pictures of the gallery, by lot; where there is no gallery, made ones."""
    paths = sorted(path for path in _GALLERY.rglob("*") if path.suffix in (".jpg", ".png", ".webp"))
    if len(paths) < _GATE_PICTURES:
        return sample_pictures(_GATE_PICTURES)
    chosen = np.random.default_rng(0).permutation(len(paths))[:_GATE_PICTURES]
    return [decode(paths[place]) for place in sorted(chosen)]


def _overlap(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    shared = [len(np.intersect1d(a, b)) for a, b in zip(one, other, strict=True)]
    return float(round(np.mean(shared) / one.shape[1], 4))


def _refuse_strangers(output: Path) -> None:
    if output.exists() and any(output.iterdir()) and not (output / MODEL_CARD).exists():
        raise BuildError(f"{output} holds something else than a model package; it is left alone")


def _replace(part: Path, output: Path) -> None:
    if output.exists():
        for kept in output.iterdir():
            if not (part / kept.name).exists():
                shutil.move(kept, part / kept.name)
        shutil.rmtree(output)
    part.rename(output)
