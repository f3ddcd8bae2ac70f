"""Small pictures, whole and broken."""

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
    "page.jpg": "not a picture",
    "page.webp": "not a picture",
    "zeros.gif": "not a picture",
    "letters.bmp": "not a picture",
    "deep/zeros.tiff": "not a picture",
    "bomb.bmp": "too large",
    "gone.jpg": "unreadable",
}


def picture(seed: int, suffix: str = "png") -> bytes:
    """A picture of coloured blobs, different for every seed."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    output = io.BytesIO()
    coarse.resize((60, 48), Image.Resampling.BICUBIC).save(output, _FORMATS[suffix])
    return output.getvalue()


def plant(root: Path, count: int) -> list[str]:
    """Write ``count`` pictures of all formats into a tree and give their paths in order."""
    suffixes = list(_FORMATS)
    paths = []
    for seed in range(count):
        suffix = suffixes[seed % len(suffixes)]
        path = f"{'abcdefg'[seed % 7]}/{seed:04}.{suffix}"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(picture(seed, suffix))
        paths.append(path)
    return sorted(paths)


def plant_broken(root: Path) -> None:
    """Write the pictures of ``BROKEN``."""
    (root / "deep").mkdir(parents=True, exist_ok=True)
    bomb = bytearray(picture(0, "bmp"))
    bomb[18:26] = (100_000).to_bytes(4, "little") * 2
    for name, reason in BROKEN.items():
        content = {
            "empty": b"",
            "truncated": picture(7, "png" if name.endswith("png") else "jpg")[:400],
            "not a picture": b"<html>" if "page" in name else bytes(700),
            "too large": bytes(bomb),
        }.get(reason)
        if content is None:
            (root / name).symlink_to("nowhere.jpg")
        else:
            (root / name).write_bytes(content)
