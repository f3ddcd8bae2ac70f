"""open_clip models, loaded: by name and tag, from a file, or with random weights."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model
from torch import nn

from build.errors import BuildError
from models.manifest import Preprocessing

RANDOM = "random"
_FILES = (".pt", ".pth", ".bin", ".safetensors")
# The tag that most people mean by a model's name, where there are several.
_USUAL_TAGS = ("openai", "webli", "datacompdr", "laion2b_s34b_b79k", "datacomp_xl_s13b_b90k")


@dataclass(frozen=True)
class Checkpoint:
    """A model with its weights, and what is needed to use it.

    Args:
        name: open_clip's name of the architecture.
        pretrained: where the weights are from: a tag, a file's name or ``random``.
        licence: of the weights, where it is known.
        model: with open_clip's ``encode_text(ids)`` and ``encode_image(pixels)``.
        tokenizer: open_clip's own, ``tokenizer(texts)`` → ids ``[n, context]``.
        causal: whether the text tower's tokens see only those before them.
    """

    name: str
    pretrained: str
    licence: str | None
    description: str | None
    model: nn.Module
    tokenizer: Any
    preprocessing: Preprocessing
    context_length: int
    causal: bool
    embedding_dim: int


def load_checkpoint(model: str, pretrained: str | None) -> Checkpoint:
    """Load an open_clip model.

    Args:
        model: a name that ``open_clip.list_models()`` knows.
        pretrained: one of the model's tags, the path of a checkpoint file, or
            ``random``; None for the model's usual tag, never for random weights.

    Raises:
        BuildError: no such model, tag or file, or the hub cannot be reached.
    """
    if model not in open_clip.list_models():
        near = [name for name in open_clip.list_models() if model.lower() in name.lower()][:8]
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise BuildError(f"open_clip knows no model {model!r}{hint}")
    source = pretrained or _usual_tag(model)
    weights = None if source == RANDOM else _find_weights(model, source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.getLogger().setLevel(logging.ERROR)
            loaded, _, _ = open_clip.create_model_and_transforms(
                model, pretrained=weights, pretrained_image=False
            )
    except Exception as error:
        raise BuildError(f"{model} with {source}: {_first_line(error)}") from error
    try:
        tokenizer = open_clip.get_tokenizer(model)
    except Exception as error:
        raise BuildError(
            f"the tokenizer of {model} could not be fetched from its hub: {_first_line(error)}"
        ) from error
    loaded.eval()
    tag = {} if weights is None else get_pretrained_cfg(model, source) or {}
    text: Any = getattr(loaded, "text", loaded)
    context_length = int(getattr(loaded, "context_length", None) or tokenizer.context_length)
    preprocessing = _preprocessing(loaded)
    with torch.no_grad():
        pixels = torch.zeros(1, 3, preprocessing.height, preprocessing.width)
        dim = int(loaded.encode_image(pixels).shape[-1])
    return Checkpoint(
        name=model,
        pretrained=Path(source).name if weights and Path(source).suffix in _FILES else source,
        licence=tag.get("license"),
        description=None,
        model=loaded,
        tokenizer=tokenizer,
        preprocessing=preprocessing,
        context_length=context_length,
        causal=getattr(text, "attn_mask", None) is not None,
        embedding_dim=dim,
    )


def _usual_tag(model: str) -> str:
    tags = list_pretrained_tags_by_model(model)
    if not tags:
        raise BuildError(
            f"{model} has no published weights: give a checkpoint file with --pretrained"
        )
    return next((tag for tag in _USUAL_TAGS if tag in tags), tags[0])


def _find_weights(model: str, source: str) -> str:
    """What open_clip is to load: a tag as it is, a file as its path."""
    if Path(source).suffix in _FILES:
        if not Path(source).is_file():
            raise BuildError(f"there is no checkpoint file {source}")
        return source
    tags = list_pretrained_tags_by_model(model)
    if source.lower() not in [tag.lower() for tag in tags]:
        raise BuildError(
            f"{model} has no weights {source!r}: it is no file, and the tags are {', '.join(tags)}"
        )
    return source


def _preprocessing(model: Any) -> Preprocessing:
    """open_clip's own settings of the picture tower."""
    settings = open_clip.transform.PreprocessCfg(**open_clip.get_model_preprocess_cfg(model))
    size = settings.size
    height, width = size if isinstance(size, tuple | list) else (size, size)
    return Preprocessing(
        height=height,
        width=width,
        mean=settings.mean,
        std=settings.std,
        interpolation=settings.interpolation,
        resize_mode=settings.resize_mode,
        fill_color=settings.fill_color,
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
