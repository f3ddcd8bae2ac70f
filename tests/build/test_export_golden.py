"""The golden embeddings that an export writes are open_clip's, not the graphs'."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import open_clip
import pytest
import torch

import build.export.gate
import models.preprocessing
from build.errors import BuildError
from build.export import Checkpoint, export, load_checkpoint
from build.export.golden import golden_embeddings
from build.packages import open_package
from models.golden import unpack
from models.golden_image import golden_image
from models.manifest import TEXT_ENCODER, DamagedError, Preprocessing
from models.preprocessing import preprocess
from tests.altered import constant_answer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def vit() -> Checkpoint:
    torch.manual_seed(0)
    return load_checkpoint("ViT-B-32", "random")


@pytest.mark.parametrize("resize_mode", ["shortest", "squash", "longest"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(224, 224), (160, 224)])
def test_images_are_preprocessed_as_by_open_clip_to_the_bit(
    resize_mode: Literal["shortest", "squash", "longest"],
    interpolation: Literal["bicubic", "bilinear"],
    size: tuple[int, int],
) -> None:
    """What the image's tolerance rests on: that preprocessing needs none."""
    mean, std = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
    transform = open_clip.image_transform(
        size,
        is_train=False,
        mean=mean,
        std=std,
        resize_mode=resize_mode,
        interpolation=interpolation,
        fill_color=7,
    )
    ours = Preprocessing(
        height=size[0],
        width=size[1],
        mean=mean,
        std=std,
        resize_mode=resize_mode,
        interpolation=interpolation,
        fill_color=7,
    )
    expected = transform(golden_image()).numpy()
    np.testing.assert_array_equal(preprocess(golden_image(), ours), expected)


def test_a_float32_package_holds_what_open_clip_gives(vit: Checkpoint, tmp_path: Path) -> None:
    card = export(vit, tmp_path / "package", "fp32")
    golden = card.golden
    assert golden.computed_by == f"open_clip_torch {open_clip.__version__}, torch 2.14.1"
    assert golden.text_tolerance == golden.image_tolerance
    assert golden.text_tolerance.largest == 1e-4
    texts = [each.text for each in golden.texts]
    assert len(texts) == 6
    _, _, transform = open_clip.create_model_and_transforms("ViT-B-32")
    with torch.no_grad():
        ids = open_clip.get_tokenizer("ViT-B-32")(texts)
        assert int((ids != 0).sum(1).max()) == 77
        expected = vit.model.encode_text(ids, normalize=True)  # type: ignore[operator]
        image = vit.model.encode_image(transform(golden_image())[None], normalize=True)  # type: ignore[operator]
    for each, vector in zip(golden.texts, expected, strict=True):
        np.testing.assert_allclose(unpack(each.embedding), vector, atol=1e-6)
    np.testing.assert_allclose(unpack(golden.image), image[0], atol=1e-6)


def test_an_int8_package_has_room_for_its_own_rounding(
    vit: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # int8 is asked for: how well it finds images is not looked at, and takes minutes.
    monkeypatch.setattr(build.export.gate, "_IMAGES", 12)
    package = tmp_path / "package"
    golden = export(vit, package, "int8").golden
    assert 1e-3 < golden.text_tolerance.largest < 2e-2
    assert golden.text_tolerance.because.startswith("2 times what the int8 text graph differed")
    assert golden.image_tolerance.largest == 1e-4
    with torch.no_grad():
        ids = vit.tokenizer([golden.texts[1].text])
        expected = vit.model.encode_text(ids, normalize=True)[0]  # type: ignore[operator]
    np.testing.assert_allclose(unpack(golden.texts[1].embedding), expected, atol=1e-6)
    opened = open_package(package)
    found = opened.text_encoder.encode(opened.tokenizer.encode([golden.texts[1].text]))[0]
    assert np.abs(found - unpack(golden.texts[1].embedding)).max() > 1e-3
    constant_answer(package, TEXT_ENCODER, 512**-0.5)
    with pytest.raises(DamagedError, match="largest difference"):
        open_package(package)


def test_pixels_that_are_not_open_clip_s_refuse_the_export(
    vit: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def squashed(image: object, preprocessing: Preprocessing) -> object:
        settings = preprocessing.model_copy(update={"resize_mode": "squash"})
        return preprocess(golden_image(), settings)

    monkeypatch.setattr(models.preprocessing, "preprocess", squashed)
    with pytest.raises(BuildError, match=r"the golden image gets another .* Nothing was written"):
        export(vit, tmp_path / "package", "fp32")
    assert list(tmp_path.iterdir()) == []


def test_other_ways_of_seeing_give_other_embeddings(vit: Checkpoint) -> None:
    """The image is one that tells them apart."""
    plain = unpack(golden_embeddings(vit).image)
    for changed in (
        {"mean": (0.5, 0.5, 0.5)},
        {"interpolation": "bilinear"},
        {"resize_mode": "squash"},
        {"resize_mode": "longest"},
    ):
        preprocessing = vit.preprocessing.model_copy(update=changed)
        other = unpack(golden_embeddings(replace(vit, preprocessing=preprocessing)).image)
        assert np.abs(other - plain).max() > 1e-3, changed
