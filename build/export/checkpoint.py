"""open_clip models, loaded as their makers meant them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.factory import load_state_dict
from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from pydantic import ValidationError
from torch import nn

from build.errors import BuildError
from build.export.hub import first_line, hub_or_cache
from build.export.sources import Source, asks_hub, find_source
from build.export.text_tower import Activation
from build.export.weights import loadable
from models.manifest import Preprocessing


@dataclass(frozen=True)
class Checkpoint:
    """A model with its weights, and what is needed to use it.

    Args:
        name: open_clip's name of the architecture, or the repository or folder it is from.
        pretrained: where the weights are from: a tag, a file's name or ``random``.
        licence: of the weights, where it is known.
        model: with open_clip's ``encode_text(ids)`` and ``encode_image(pixels)``.
        tokenizer: open_clip's own, ``tokenizer(texts)`` → ids ``[n, context]``.
        told: what was taken, and why: a line each.
    """

    name: str
    pretrained: str
    licence: str | None
    description: str | None
    model: nn.Module
    tokenizer: Any
    preprocessing: Preprocessing
    context_length: int
    embedding_dim: int
    told: tuple[str, ...] = ()


def load_checkpoint(
    model: str, pretrained: str | None, preprocessing_of: str | None = None
) -> Checkpoint:
    """Load an open_clip model.

    Args:
        model: a name that ``open_clip.list_models()`` knows, ``hf-hub:ORG/NAME``, or a folder
            with ``open_clip_config.json`` and weights, ``local-dir:`` before it or not.
        pretrained: one of the model's tags, the path of a checkpoint file, or
            ``random``; None for the model's usual tag, never for random weights.
        preprocessing_of: the tag whose preprocessing the checkpoint file was trained with,
            where the model's tags do not agree on one.

    Raises:
        BuildError: no such model, tag or file, it does not fit, or the hub cannot be reached.
    """
    what = f"what {model}{f' ({pretrained})' if pretrained else ''} needs"
    with hub_or_cache(what) if asks_hub(model, pretrained) else contextlib.nullcontext():
        source = find_source(model, pretrained, preprocessing_of)
        loaded = _build(source)
        tokenizer = open_clip.get_tokenizer(source.model)
    if source.weights is not None:
        _load(loaded, source.weights, source.name)
    loaded.eval()
    _refuse_other_activation(source, loaded)
    preprocessing = _preprocessing(loaded)
    with torch.no_grad():
        pixels = torch.zeros(1, 3, preprocessing.height, preprocessing.width)
        dim = int(loaded.encode_image(pixels).shape[-1])
    return Checkpoint(
        name=source.name,
        pretrained=source.pretrained,
        licence=None,
        description=None,
        model=loaded,
        tokenizer=tokenizer,
        preprocessing=preprocessing,
        # Not the model's, which for Hugging Face's towers is how far their positions go.
        context_length=int(tokenizer.context_length),
        embedding_dim=dim,
        told=source.told,
    )


def _build(source: Source) -> Any:
    """The model without its weights."""
    more: dict[str, Any] = {}
    if source.quick_gelu:
        more["force_quick_gelu"] = True
    elif source.quick_gelu is False:
        # The other way there is no `force_`, but the last word on what the model is built of.
        more["quick_gelu"] = False
    with _without_untrue_warnings():
        return open_clip.create_model(
            source.model,
            load_weights=False,
            # Towers of Hugging Face and timm would fetch weights of their own.
            pretrained_text=False,
            pretrained_image=False,
            force_preprocess_cfg=source.preprocessing or None,
            **more,
        )


@contextlib.contextmanager
def _without_untrue_warnings() -> Iterator[None]:
    """Leave out what open_clip says of weights, since it is not open_clip that loads them."""

    def is_true(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(
            (
                # Harmless: they are loaded in the next step; for `random` the command says it.
                "No pretrained weights loaded for model",
                # Harmless: which file of a folder is taken is decided, and told, in sources.py.
                "Local config loaded, but no CLIP weights found",
                "Multiple checkpoints found in",
            )
        )

    root = logging.getLogger()
    # Harmless: only the three of above are left out.
    root.addFilter(is_true)
    try:
        yield
    finally:
        root.removeFilter(is_true)


def _load(model: Any, weights: Path, name: str) -> None:
    """Put weights into a model.

    Raises:
        BuildError: they do not fit, and the first of those that do not.
    """
    with loadable(weights) as path:
        try:
            result = open_clip.load_checkpoint(model, str(path), strict=False)
        except Exception as error:
            wrong = _other_shapes(model, path) or first_line(error)
            raise BuildError(f"{weights} does not fit {name}: {wrong}") from None
    missing = list(getattr(result, "missing_keys", ()))
    extra = list(getattr(result, "unexpected_keys", ()))
    if missing or extra:
        parts = [
            f"{len(names)} weights are {what}, first {', '.join(names[:3])}"
            for names, what in ((missing, "missing"), (extra, "too many"))
            if names
        ]
        raise BuildError(f"{weights} does not fit {name}: {'; '.join(parts)}")


def _other_shapes(model: nn.Module, path: Path) -> str:
    """The first weights of a file whose shapes are not the model's; empty where there are none."""
    if path.suffix == ".npz":
        return ""
    given, wanted = load_state_dict(str(path)), model.state_dict()
    wrong = [
        f"{name} is {tuple(given[name].shape)} instead of {tuple(weight.shape)}"
        for name, weight in wanted.items()
        if name in given and given[name].shape != weight.shape
    ]
    return "; ".join(wrong[:3])


def _refuse_other_activation(source: Source, model: nn.Module) -> None:
    if source.quick_gelu is None:
        return
    trained = "QuickGELU" if source.quick_gelu else "GELU"
    for found in _activations(model):
        if (found == "quick_gelu") != source.quick_gelu:
            raise BuildError(
                f"{source.name} ({source.pretrained}) was trained with {trained}, but open_clip "
                f"built it with {found}. Nothing was written: its vectors would not be those of "
                "its makers."
            )


def activation_of(model: nn.Module) -> Activation | None:
    """What open_clip's own blocks activate with, the text tower's first; None without any.

    Raises:
        BuildError: different ones in one tower, or one that is not known here.
    """
    for tower in (getattr(model, "text", None), getattr(model, "transformer", None), model):
        kinds = _activations(tower) if tower is not None else set()
        if len(kinds) > 1:
            raise BuildError(f"the model's blocks have different activations: {sorted(kinds)}")
        if kinds:
            return kinds.pop()
    return None


def _activations(tower: nn.Module) -> set[Activation]:
    return {
        _kind(module.mlp.gelu)
        for module in tower.modules()
        if isinstance(module, ResidualAttentionBlock)
    }


def _kind(activation: nn.Module) -> Activation:
    if isinstance(activation, QuickGELU):
        return "quick_gelu"
    if isinstance(activation, nn.GELU):
        return "gelu" if activation.approximate == "none" else "gelu_tanh"
    raise BuildError(f"an activation of the kind {type(activation).__name__} is not known here")


def _preprocessing(model: Any) -> Preprocessing:
    """open_clip's own settings of the image tower."""
    settings = open_clip.transform.PreprocessCfg(**open_clip.get_model_preprocess_cfg(model))
    size = settings.size
    height, width = size if isinstance(size, tuple | list) else (size, size)
    try:
        return Preprocessing(
            height=height,
            width=width,
            mean=settings.mean,
            std=settings.std,
            interpolation=settings.interpolation,
            resize_mode=settings.resize_mode,
            fill_color=settings.fill_color,
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BuildError(
            f"the model's preprocessing is not known here: {where}: {first['msg']}"
        ) from None
