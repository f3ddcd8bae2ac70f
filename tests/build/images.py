"""Small images, whole and broken."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

_FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "tif": "TIFF"}
BROKEN = {
    "empty.jpg": "empty",
    "deep/empty.png": "empty",
    "half.jpg": "truncated",
    "half.png": "truncated",
    "deep/half.JPEG": "truncated",
    "page.jpg": "not an image",
    "page.webp": "not an image",
    "zeros.gif": "not an image",
    "letters.bmp": "not an image",
    "deep/zeros.tiff": "not an image",
    "bomb.bmp": "too large",
    "gone.jpg": "unreadable",
}


def image_bytes(seed: int, suffix: str = "png") -> bytes:
    """An image of coloured blobs, different for every seed."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    output = io.BytesIO()
    coarse.resize((60, 48), Image.Resampling.BICUBIC).save(output, _FORMATS[suffix])
    return output.getvalue()


def plant(root: Path, count: int) -> list[str]:
    """Write ``count`` images of all formats into a tree and give their paths in order."""
    suffixes = list(_FORMATS)
    paths = []
    for seed in range(count):
        suffix = suffixes[seed % len(suffixes)]
        path = f"{'abcdefg'[seed % 7]}/{seed:04}.{suffix}"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(image_bytes(seed, suffix))
        paths.append(path)
    return sorted(paths)


def plant_broken(root: Path) -> None:
    """Write the images of ``BROKEN``."""
    (root / "deep").mkdir(parents=True, exist_ok=True)
    bomb = bytearray(image_bytes(0, "bmp"))
    bomb[18:26] = (100_000).to_bytes(4, "little") * 2
    for name, reason in BROKEN.items():
        content = {
            "empty": b"",
            "truncated": image_bytes(7, "png" if name.endswith("png") else "jpg")[:400],
            "not an image": b"<html>" if "page" in name else bytes(700),
            "too large": bytes(bomb),
        }.get(reason)
        if content is None:
            (root / name).symlink_to("nowhere.jpg")
        else:
            (root / name).write_bytes(content)
