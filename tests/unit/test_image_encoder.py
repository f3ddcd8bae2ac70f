"""The picture encoder of a package."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from models.image_encoder import ImageEncoder
from models.manifest import IMAGE_ENCODER, DamagedError, ModelCard

SIDE = 32


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, SIDE, SIDE)).astype(np.float32)


@pytest.fixture(scope="module")
def encoder(tiny_package: Path) -> ImageEncoder:
    return ImageEncoder(tiny_package, ModelCard.read(tiny_package))


def test_vectors_have_length_one(encoder: ImageEncoder) -> None:
    vectors = encoder.encode(pixels(5))
    assert vectors.shape == (5, encoder.dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_picture_has_the_same_vector_in_any_company(encoder: ImageEncoder) -> None:
    pictures = pixels(9)
    together = encoder.encode(pictures)
    alone = np.concatenate([encoder.encode(picture[np.newaxis]) for picture in pictures])
    assert (together == alone).all()
    assert (encoder.encode(pictures[::-1]) == together[::-1]).all()


def test_no_pictures_are_no_vectors(encoder: ImageEncoder) -> None:
    assert encoder.encode(pixels(0)).shape == (0, encoder.dim)


@pytest.mark.parametrize("content", [None, b"no graph"])
def test_what_is_no_encoder_is_named(
    tiny_package: Path, tmp_path: Path, content: bytes | None
) -> None:
    package = tmp_path / "package"
    shutil.copytree(tiny_package, package)
    (package / IMAGE_ENCODER).unlink()
    if content is not None:
        (package / IMAGE_ENCODER).write_bytes(content)
    with pytest.raises(DamagedError, match=r"image_encoder\.onnx cannot be loaded"):
        ImageEncoder(package, ModelCard.read(package))
