"""Where a model's weights are, and what its makers published beside them.

open_clip takes a model's settings from its architecture's name.  What the weights were trained
with is in its table of tags, or in the ``open_clip_config.json`` beside them: 28 of the 196
tags of release 3.3 have another activation than their architecture's name, and weights that
are given by their path get OpenAI's preprocessing, whatever they were trained with.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import open_clip
from open_clip import factory
from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

from build.errors import BuildError
from build.export.published import (
    agreed_settings,
    did_you_mean,
    did_you_mean_model,
    known_tag,
    no_such_weights,
    published_as,
    settings_of,
    usual_tag,
)

RANDOM = "random"
HUB, FOLDER = "hf-hub:", "local-dir:"
CONFIG = "open_clip_config.json"

_WEIGHTS = (".safetensors", ".bin", ".pth", ".pt", ".ckpt")
# In open_clip's own order.
_USUAL_FILES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)


@dataclass(frozen=True)
class Source:
    """A model to load.

    Args:
        model: what ``open_clip.create_model`` takes: a name, ``hf-hub:…`` or ``local-dir:…``.
        name: what the package calls the model.
        pretrained: what it calls the weights.
        weights: their file; None for random ones.
        quick_gelu: whether the weights were trained with QuickGELU, where their makers say
            so apart from the model's own settings; None elsewhere.
        preprocessing: open_clip's settings that take the place of the model's own.
        told: what was taken, and why: a line each.
    """

    model: str
    name: str
    pretrained: str
    weights: Path | None
    quick_gelu: bool | None = None
    preprocessing: dict[str, Any] = field(default_factory=dict)
    told: tuple[str, ...] = ()


def find_source(model: str, pretrained: str | None, preprocessing_of: str | None) -> Source:
    """Find a model's weights, fetching them where they are a hub's.

    Args:
        model: a name that ``open_clip.list_models()`` knows, ``hf-hub:ORG/NAME``,
            ``local-dir:FOLDER`` or that folder.
        pretrained: a tag of the model, a file, or ``random``; None for the usual tag.
        preprocessing_of: the tag whose preprocessing a file is to get.

    Raises:
        BuildError: no such model, tag, folder or file, or it is not clear what is meant.
        Exception: whatever the hub's library raises where it cannot fetch.
    """
    if Path(model).is_dir() and model not in open_clip.list_models():
        model = FOLDER + model
    if model.startswith((HUB, FOLDER)):
        if preprocessing_of:
            raise BuildError(f"{model} says its own preprocessing: leave --preprocessing-of out")
        return _hub(model, pretrained) if model.startswith(HUB) else _folder(model, pretrained)
    if model not in open_clip.list_models():
        raise BuildError(f"open_clip knows no model {model!r}{did_you_mean_model(model)}")
    source = pretrained or usual_tag(model)
    tag = known_tag(model, source)
    if preprocessing_of and (source == RANDOM or (tag and not Path(source).is_file())):
        raise BuildError("--preprocessing-of is for checkpoint files: a tag has its own")
    if source == RANDOM:
        return Source(model, model, RANDOM, None, None, agreed_settings(model) or {})
    if tag is not None:
        # By the module, where whoever replaces the download replaces it.
        weights = factory.download_pretrained(get_pretrained_cfg(model, tag))
        return _of_tag(Source(model, model, tag, Path(weights)), tag, "the tag's")
    return _file(model, source, preprocessing_of)


def asks_hub(model: str, pretrained: str | None) -> bool:
    """Whether something of a model lies on a hub: weights, settings or a tokenizer."""
    if model.startswith(FOLDER) or Path(model).is_dir():
        return False
    if model.startswith(HUB) or model not in open_clip.list_models():
        return model.startswith(HUB)
    text = (open_clip.get_model_config(model) or {})["text_cfg"]
    names = (text.get("hf_tokenizer_name"), text.get("hf_model_name"))
    if any(name and not Path(name).exists() for name in names):
        return True
    return pretrained is None or known_tag(model, pretrained) is not None


def _hub(model: str, pretrained: str | None) -> Source:
    if pretrained is not None:
        raise BuildError(f"{model} has its own weights: leave --pretrained out")
    repository = model.removeprefix(HUB)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise BuildError(f"{model} is no repository of the hub: it is written hf-hub:ORG/NAME")
    weights = Path(factory.download_pretrained_from_hf(repository))
    told = (f"settings: those of {repository}, {CONFIG}",)
    return Source(model, repository, weights.name, weights, told=told)


def _folder(model: str, pretrained: str | None) -> Source:
    folder = Path(model.removeprefix(FOLDER))
    if not folder.is_dir():
        raise BuildError(f"there is no folder {folder}")
    config = folder / CONFIG
    try:
        settings = json.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BuildError(
            f"{folder} has no {CONFIG}, which says what the weights are of. For a checkpoint of "
            "an architecture that open_clip knows: --model NAME --pretrained FILE"
        ) from None
    except (OSError, ValueError) as error:
        raise BuildError(f"{config} cannot be read: {error}") from None
    if not isinstance(settings, dict) or not isinstance(settings.get("model_cfg"), dict):
        raise BuildError(f"{config} has no model_cfg, which says what the weights are of")
    weights = Path(pretrained) if pretrained else _only_weights(folder)
    if not weights.is_file():
        raise BuildError(f"there is no checkpoint file {weights}")
    told = [f"weights: {weights.name}", f"settings: those of {config}"]
    if not settings.get("preprocess_cfg"):
        told.append(f"preprocessing: open_clip's default, since {CONFIG} says none")
    return Source(model, folder.resolve().name, weights.name, weights, told=tuple(told))


def _only_weights(folder: Path) -> Path:
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _WEIGHTS and path.is_file() and not path.name.startswith(".")
    )
    usual = [folder / name for name in _USUAL_FILES if folder / name in found]
    if usual or len(found) == 1:
        return (usual or found)[0]
    if not found:
        raise BuildError(f"{folder} has no weights: no file that ends in {', '.join(_WEIGHTS)}")
    raise BuildError(
        f"{folder} has several files of weights: say which with --pretrained: "
        f"{', '.join(path.name for path in found[:8])}"
    )


def _file(model: str, source: str, preprocessing_of: str | None) -> Source:
    path = Path(source)
    if path.is_dir():
        raise BuildError(f"{source} is a folder: give it as --model {FOLDER}{source}")
    if not path.is_file():
        raise BuildError(no_such_weights(model, source))
    found = Source(model, model, path.name, path)
    tags = list_pretrained_tags_by_model(model)
    if preprocessing_of is not None:
        tag = known_tag(model, preprocessing_of)
        if tag is None:
            raise BuildError(
                f"--preprocessing-of: {model} has no tag {preprocessing_of!r}"
                f"{did_you_mean(preprocessing_of, tags)}; its tags are {', '.join(tags) or 'none'}"
            )
        return _with_preprocessing(_of_name(found), settings_of(model, tag), f"{tag}'s, as asked")
    if (tag := published_as(model, path)) is not None:
        return _of_tag(found, tag, f"{tag}'s: the file is that tag's, by its SHA-256")
    _refuse_other_settings(model, path)
    agreed = agreed_settings(model)
    if agreed is None:
        # Reversed, so that the first tag of each way stays.
        ways = {_in_words(settings_of(model, tag)): tag for tag in reversed(tags)}
        raise BuildError(
            f"the published weights of {model} differ in their preprocessing, and {path.name} "
            "does not say which it was trained with. Say which: "
            + "; ".join(f"--preprocessing-of {tag} ({way})" for way, tag in ways.items())
        )
    why = (
        f"what all published weights of {model} have"
        if tags
        else f"open_clip's default, since {model} has no published weights to go by"
    )
    return _with_preprocessing(_of_name(found), agreed, why)


def _refuse_other_settings(model: str, path: Path) -> None:
    """Where a file was downloaded with its settings beside it, these have to be the name's."""
    try:
        beside = json.loads((path.parent / CONFIG).read_text(encoding="utf-8"))["model_cfg"]
        quick = bool(beside.get("quick_gelu", False))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    if quick != bool((open_clip.get_model_config(model) or {}).get("quick_gelu", False)):
        raise BuildError(
            f"{path.parent / CONFIG} says that the weights beside it were trained with "
            f"{_activation(quick)}, which {model} does not stand for. Take what the file says: "
            f"--model {FOLDER}{path.parent} --pretrained {path}"
        )


def _of_tag(source: Source, tag: str, whose: str) -> Source:
    """With the activation and the preprocessing that the weights of a tag were trained with."""
    published = get_pretrained_cfg(source.model, tag)
    quick = bool(published.get("quick_gelu", False))
    told = (*source.told, f"activation: {_activation(quick)}, {whose}")
    return _with_preprocessing(
        replace(source, quick_gelu=quick, told=told), settings_of(source.model, tag), whose
    )


def _of_name(source: Source) -> Source:
    """With the activation that the architecture's name stands for."""
    quick = bool((open_clip.get_model_config(source.model) or {}).get("quick_gelu", False))
    line = f"activation: {_activation(quick)}, by the name {source.model}"
    if not quick and f"{source.model}-quickgelu" in open_clip.list_models():
        line += f"; weights trained with QuickGELU are given as --model {source.model}-quickgelu"
    return replace(source, told=(*source.told, line))


def _with_preprocessing(source: Source, settings: dict[str, Any], why: str) -> Source:
    line = f"preprocessing: {_in_words(settings)}: {why}" if settings else f"preprocessing: {why}"
    return replace(source, preprocessing=settings, told=(*source.told, line))


def _activation(quick: bool) -> str:
    return "QuickGELU" if quick else "GELU"


def _in_words(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())
