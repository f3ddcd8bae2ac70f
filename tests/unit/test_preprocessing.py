"""What the encoder sees of a decoded image."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import models.preprocessing
from build.packages import DEMO_MODEL
from models.image_encoder import ImageEncoder
from models.images import decode, read
from models.manifest import ModelCard
from models.preprocessing import preprocess, reduced_side
from models.thumbnails import thumbnail
from tests.photographs import CLIP, GREEN, RED, encoded, photograph


def test_a_strip_is_not_scaled_into_a_bomb() -> None:
    strip = Image.new("RGB", (60_000, 2), RED)
    for width, height in ((224, 224), (224, 112)):
        wanted = CLIP.model_copy(update={"width": width, "height": height})
        assert preprocess(strip, wanted).shape == (3, height, width)
    assert decode(thumbnail(strip)).size == (320, 1)


def test_a_large_jpeg_is_decoded_smaller_and_looks_the_same() -> None:
    content = encoded(photograph(4000, 3000), "JPEG", quality=90)
    whole, reduced = read(content), read(content, reduce_to=reduced_side(CLIP))
    assert (reduced.width, reduced.height) == (4000, 3000)
    assert reduced.image.size == (1000, 750)
    assert min(reduced.image.size) >= 2 * CLIP.width
    assert np.abs(preprocess(whole.image, CLIP) - preprocess(reduced.image, CLIP)).mean() < 0.02


def test_a_transparent_border_is_trimmed_only_where_it_is_asked_for() -> None:
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    image.paste((*GREEN, 255), (40, 40, 60, 60))
    trimming = CLIP.model_copy(update={"trim_transparent": True})
    green = preprocess(Image.new("RGB", (20, 20), GREEN), CLIP)
    np.testing.assert_allclose(preprocess(image, trimming), green, atol=1e-6)
    assert np.abs(preprocess(image, CLIP) - green).max() > 1
    nothing = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    assert preprocess(nothing, trimming).shape == (3, 224, 224)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(640, 480), (225, 224), (224, 224), (101, 333), (57, 31)])
@pytest.mark.parametrize("target", [(224, 224), (160, 96)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
def test_the_numbers_are_those_of_open_clip(
    resize_mode: Literal["shortest", "longest", "squash"],
    interpolation: Literal["bicubic", "bilinear"],
    target: tuple[int, int],
    size: tuple[int, int],
) -> None:
    open_clip = pytest.importorskip("open_clip")
    height, width = target
    ours = CLIP.model_copy(
        update={
            "height": height,
            "width": width,
            "interpolation": interpolation,
            "resize_mode": resize_mode,
            "fill_color": 127,
        }
    )
    theirs = open_clip.image_transform(
        height if height == width else target,
        is_train=False,
        mean=CLIP.mean,
        std=CLIP.std,
        resize_mode=resize_mode,
        interpolation=interpolation,
        fill_color=127,
    )
    image = photograph(*size)
    expected: NDArray[np.float32] = theirs(image).numpy()
    np.testing.assert_allclose(preprocess(image, ours), expected, atol=1e-6, rtol=0)


def test_an_image_decoded_at_reduced_scale_has_the_vector_of_the_whole_one() -> None:
    card = ModelCard.read(DEMO_MODEL)
    encoder = ImageEncoder(DEMO_MODEL, card)
    for seed in range(3):
        content = encoded(photograph(4000, 3000, seed), "JPEG", quality=90)
        side = reduced_side(card.preprocessing)
        whole, reduced = read(content).image, read(content, reduce_to=side).image
        assert reduced.width < whole.width
        pixels = [preprocess(image, card.preprocessing) for image in (whole, reduced)]
        vectors = encoder.encode(np.stack(pixels))
        assert vectors[0] @ vectors[1] > 0.995


def test_what_is_enough_for_the_encoder_is_enough_for_a_thumbnail() -> None:
    def side(width: int, height: int) -> int:
        return reduced_side(CLIP.model_copy(update={"width": width, "height": height}))

    assert side(224, 224) == 224
    assert side(336, 224) == side(224, 336) == 336
    assert side(32, 64) == 160


@pytest.mark.parametrize(
    ("size", "middle"),
    [
        ((3200, 100), (0, 0, 3200, 100)),
        ((3201, 100), (0, 0, 3200, 100)),
        ((3300, 100), (50, 0, 3250, 100)),
        ((100, 3300), (0, 50, 100, 3250)),
    ],
)
def test_of_a_strip_the_middle_is_seen(
    size: tuple[int, int], middle: tuple[int, int, int, int]
) -> None:
    image = photograph(*size)
    seen = models.preprocessing._middle_of_strip(image)
    assert seen.size == (middle[2] - middle[0], middle[3] - middle[1])
    assert (np.asarray(seen) == np.asarray(image.crop(middle))).all()
    assert (seen is image) == (size == (3200, 100))


@pytest.mark.parametrize(
    ("size", "box", "at"),
    [
        ((5, 5), (0, 0, 4, 4), None),
        ((9, 4), (2, 0, 6, 4), None),
        ((4, 9), (0, 2, 4, 6), None),
        ((4, 4), (0, 0, 4, 4), None),
        ((2, 4), None, (1, 0)),
        ((4, 1), None, (0, 1)),
        ((9, 2), None, (-3, 1)),
    ],
)
def test_the_middle_is_cut_out_or_padded(
    size: tuple[int, int], box: tuple[int, int, int, int] | None, at: tuple[int, int] | None
) -> None:
    image = photograph(*size)
    seen = models.preprocessing._crop_or_pad(image, 4, 4, 9)
    if box is not None:
        expected = image.crop(box)
    else:
        assert at is not None
        expected = Image.new("RGB", (4, 4), (9, 9, 9))
        expected.paste(image, at)
    assert (np.asarray(seen) == np.asarray(expected)).all()


def test_an_image_that_has_the_size_already_is_not_scaled() -> None:
    image = photograph(224, 300)
    assert models.preprocessing._scale_shorter_to(image, 224, Image.Resampling.BICUBIC) is image
    assert models.preprocessing._scale_by(image, 1.0, Image.Resampling.BICUBIC) is image
    assert models.preprocessing._scale_by(image, 1e9, Image.Resampling.BICUBIC).size == (1, 1)
    assert models.preprocessing._scale_shorter_to(image, 112, Image.Resampling.BICUBIC).size == (
        112,
        150,
    )
