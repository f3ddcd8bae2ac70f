"""A checkpoint into a model package: exported, verified, quantised where that does no harm."""

from __future__ import annotations

import importlib.metadata
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import onnx

from build.errors import BuildError
from build.export.checkpoint import Checkpoint, activation_of
from build.export.golden import (
    golden_embeddings,
    refuse_other_embeddings,
    with_room_for_rounding,
)
from build.export.precision import Precision, choose_precision
from build.export.storage import store_exactly
from build.export.text_graph import text_graph
from build.export.text_tower import take_apart
from build.export.tokenizer_file import write_tokenizer
from build.export.traced import image_graph, masks_its_padding, traced_text_graph
from build.export.verify import verification_texts, verify_images, verify_texts
from models.manifest import (
    IMAGE_ENCODER,
    MODEL_CARD,
    TEXT_ENCODER,
    TOKENIZER,
    ModelCard,
    Verification,
    record_files,
)

_IMAGES = 8
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
        text = text_graph(tower, {})
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
            images=_IMAGES,
            max_text_difference=0,
            max_image_difference=0,
        ),
        golden=golden_embeddings(checkpoint),
        versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    measured = {
        "max_text_difference": verify_texts(checkpoint, card, folder),
        "max_image_difference": verify_images(checkpoint, card, folder),
    }
    refuse_other_embeddings(folder, card)
    chosen: dict[str, Any] = {}
    if tower is not None and precision != "fp32":
        choice = choose_precision(tower, precision, folder, card)
        chosen = {
            "text_precision": choice.precision,
            "text_finer_parts": choice.finer_parts,
            "text_speed": choice.speed,
        }
        if choice.precision != "fp32":
            chosen["golden"] = with_room_for_rounding(folder, card, choice.precision)
        measured |= {
            "overlap_at_10": choice.overlap,
            "int8_overlap_at_10": choice.int8_overlap,
        }
    card = card.model_copy(
        update=chosen
        | {
            "verification": card.verification.model_copy(update=measured),
            "files": record_files(folder, (TOKENIZER, TEXT_ENCODER, IMAGE_ENCODER)),
        }
    )
    card.write(folder)
    return card


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
