"""What open_clip's table says of the weights that it has published."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import open_clip
from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

from build.errors import BuildError
from build.export.weights import sha256

# The tag that is meant by a model's name, where there are several: those that find most in
# open_clip's docs/openclip_retrieval_results.csv (mean of text-to-image R@1, R@5 and R@10 on
# Flickr30k and COCO: for ViT-B-32 71.4, 68.2 with datacomp_xl, 64.3 with openai), among those
# whose licences let anyone use them.
_USUAL_TAGS = (
    "webli",
    "laion2b_s34b_b79k",
    "laion2b_s34b_b88k",
    "laion2b_s32b_b82k",
    "laion2b_s32b_b79k",
    "laion2b_s39b_b160k",
    "datacomp_s34b_b86k",
    "laion_aesthetic_s13b_b82k",
    "laion2b_s29b_b131k_ft_soup",
    "laion400m_e31",
    "openai",
)
_SETTINGS = ("mean", "std", "interpolation", "resize_mode", "fill_color")
# OpenAI's: a folder named after the whole checksum; LAION's: its first digits end the name.
_CHECKSUM = re.compile(r"/([0-9a-f]{64})/|-([0-9a-f]{8})\.pth?$")


def settings_of(model: str, tag: str) -> dict[str, Any]:
    """The preprocessing that the weights of a tag were trained with, as far as it is told."""
    published = get_pretrained_cfg(model, tag)
    return {key: published[key] for key in _SETTINGS if key in published}


def agreed_settings(model: str) -> dict[str, Any] | None:
    """The preprocessing that all tags of a model have; None where they do not agree."""
    found = [settings_of(model, tag) for tag in list_pretrained_tags_by_model(model)]
    if any(settings != found[0] for settings in found):
        return None
    return found[0] if found else {}


def known_tag(model: str, source: str) -> str | None:
    """The tag as open_clip's table has it, which does not care for case and hyphens."""
    wanted = source.lower().replace("-", "_")
    return wanted if wanted in list_pretrained_tags_by_model(model) else None


def usual_tag(model: str) -> str:
    """The tag that is meant by a model's name.

    Raises:
        BuildError: nobody has published weights of it.
    """
    tags = list_pretrained_tags_by_model(model)
    if not tags:
        raise BuildError(
            f"{model} has no published weights: give a checkpoint file with --pretrained"
        )
    return next((tag for tag in _USUAL_TAGS if tag in tags), tags[0])


def published_as(model: str, path: Path) -> str | None:
    """The tag whose published file this is: OpenAI's and LAION's addresses hold a checksum."""
    published = {
        tag: found[1] or found[2]
        for tag in list_pretrained_tags_by_model(model)
        if (found := _CHECKSUM.search(get_pretrained_cfg(model, tag).get("url", "")))
    }
    if not published:
        return None
    checksum = sha256(path)
    return next((tag for tag, known in published.items() if checksum.startswith(known)), None)


def no_such_weights(model: str, source: str) -> str:
    """What to say of weights that are neither a file nor a tag."""
    if Path(source).suffix or "/" in source:
        return f"there is no checkpoint file {source}"
    tags = list_pretrained_tags_by_model(model)
    return (
        f"{model} has no weights {source!r}{did_you_mean(source, tags)}: it is no file, and the "
        f"tags are {', '.join(tags) or 'none'}"
    )


def did_you_mean_model(model: str) -> str:
    """The end of a message about a model that there is not."""
    return did_you_mean(model, open_clip.list_models()) or (
        "; `python -c 'import open_clip; print(open_clip.list_models())'` lists what it knows"
    )


def did_you_mean(word: str, words: list[str]) -> str:
    """The nearest of some words, for the end of a message; hyphens and case do not count."""
    bare = {re.sub(r"[^a-z0-9]", "", known.lower()): known for known in reversed(words)}
    near = difflib.get_close_matches(re.sub(r"[^a-z0-9]", "", word.lower()), bare, n=3)
    return f"; did you mean {' or '.join(bare[name] for name in near)}?" if near else ""
