"""The image encoder of a package."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from models.image_encoder import ImageEncoder, LazyImageEncoder
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


def test_an_image_has_the_same_vector_in_any_company(encoder: ImageEncoder) -> None:
    images = pixels(9)
    together = encoder.encode(images)
    alone = np.concatenate([encoder.encode(image[np.newaxis]) for image in images])
    assert (together == alone).all()
    assert (encoder.encode(images[::-1]) == together[::-1]).all()


def test_no_images_are_no_vectors(encoder: ImageEncoder) -> None:
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


class Loads:
    """Counts, and takes its time."""

    def __init__(self, encoder: ImageEncoder) -> None:
        self.encoder = encoder
        self.count = 0

    def __call__(self) -> ImageEncoder:
        self.count += 1
        time.sleep(0.05)
        return self.encoder


def test_a_lazy_one_is_loaded_once_and_only_when_it_is_used(encoder: ImageEncoder) -> None:
    load = Loads(encoder)
    lazy = LazyImageEncoder(load)
    assert load.count == 0
    users = [threading.Thread(target=lazy.encode, args=(pixels(1),)) for _ in range(4)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    lazy.check()
    assert load.count == 1
    assert (lazy.encode(pixels(2)) == encoder.encode(pixels(2))).all()


def test_a_check_lets_go_of_what_nobody_uses(encoder: ImageEncoder) -> None:
    load = Loads(encoder)
    lazy = LazyImageEncoder(load)
    for _ in range(2):
        lazy.check()
        assert load.count == 1
    lazy.load()
    assert load.count == 2


def test_what_somebody_else_has_checked_is_not_checked_again(encoder: ImageEncoder) -> None:
    load = Loads(encoder)
    LazyImageEncoder(load, checked=True).check()
    assert load.count == 0
