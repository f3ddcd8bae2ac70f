"""Colours as an image's profile means them, in sRGB.

A phone's red is another red than a browser's: the numbers of an image mean what its embedded ICC
profile says, and encoders, thumbnails and screens take them for sRGB.
"""

from __future__ import annotations

import io
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageCms

# Modes of 8 bits as LittleCMS takes them, the space that a profile must have for them, and what
# comes out.
_SPACES = {
    "RGB": ("RGB ", "RGB"),
    "RGBA": ("RGB ", "RGBA"),
    "L": ("GRAY", "RGB"),
    "CMYK": ("CMYK", "RGB"),
}
# What differs by no more in any of 729 colours is the same.
_SAME = 2
_STEPS = 9
# A whole archive has a handful of them; a large one has two megabytes.
_KEPT = 16


def in_srgb(image: Image.Image) -> Image.Image:
    """An image with the colours that its profile means.

    Args:
        image: of any mode; ``L``, ``LA``, ``P``, ``CMYK``, ``RGB``, ``RGBA`` and ``LAB`` can have
            a profile that counts.

    Returns:
        the image itself where it has no profile, one that cannot be used, or one that says
        what is taken for granted anyway; else one in ``RGB`` or ``RGBA``.
    """
    if image.mode == "LAB":
        return _from_lab().apply(image)
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not profile:
        return image
    if image.mode == "LA" and (transform := _transform(profile, "L")) is not None:
        grey, alpha = image.split()
        coloured = transform.apply(grey)
        coloured.putalpha(alpha)
        return coloured
    if image.mode in ("P", "PA", "LA"):
        expanded = image.convert("RGBA" if _is_transparent(image) else "RGB")
    else:
        expanded = image
    if expanded.mode not in _SPACES:
        return image
    transform = _transform(profile, expanded.mode)
    if transform is None:
        return image
    return transform.apply(expanded)


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in ("PA", "LA") or "transparency" in image.info


@cache
def _from_lab() -> ImageCms.ImageCmsTransform:
    profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(*profiles, "LAB", "RGB", flags=ImageCms.Flags.NOCACHE)


@lru_cache(_KEPT)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile's colours to sRGB; None where nothing is to be done, or can be."""
    space, wanted = _SPACES[mode]
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space != space:
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            wanted,
            ImageCms.Intent.PERCEPTUAL,
            # Without the memory of the last pixel, which threads would share.
            ImageCms.Flags.NOCACHE,
        )
        return None if mode != "CMYK" and _changes_nothing(transform, mode, wanted) else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        # A profile that is damaged: the numbers are all that is known.
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str, wanted: str) -> bool:
    steps = np.linspace(0, 255, _STEPS).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    before = Image.fromarray(colours).convert(mode)
    after = transform.apply(before).convert("RGB")
    before_rgb = np.asarray(before.convert("RGB"), dtype=np.int16)
    return bool(np.abs(np.asarray(after, dtype=np.int16) - before_rgb).max() <= _SAME)
