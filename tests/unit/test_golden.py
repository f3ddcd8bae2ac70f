"""The comparison with the golden embeddings: what it lets pass, what it refuses, what it says."""

from __future__ import annotations

import hashlib
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

import models.golden
from build.packages import DEMO_MODEL, open_package
from models.golden import pack, unpack
from models.golden_image import golden_image
from models.manifest import (
    IMAGE_ENCODER,
    MODEL_CARD,
    TEXT_ENCODER,
    DamagedError,
    ModelCard,
    Tolerance,
)
from tests.altered import (
    alter_attribute,
    alter_constant,
    alter_tokenizer,
    constant_answer,
    flip_first,
    vouch_anew,
)
from tests.tiny_package import DIM


@pytest.fixture
def package(tiny_package: Path, tmp_path: Path) -> Path:
    """A package of one's own, to be altered."""
    return Path(shutil.copytree(tiny_package, tmp_path / "package"))


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """The embedded package, to be altered."""
    return Path(shutil.copytree(DEMO_MODEL, tmp_path / "demo"))


@given(arrays(np.float32, 24))
def test_an_embedding_is_stored_to_the_bit(vector: np.ndarray) -> None:
    assert unpack(pack(vector)).tobytes() == vector.tobytes()


def test_the_image_is_the_same_everywhere() -> None:
    pixels = np.asarray(golden_image())
    assert pixels.shape == (300, 400, 3)
    assert pixels.dtype == np.uint8
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == (
        "e3cfb712d4a52d7ae8d655e884df0d44572eb8b0703551786ca714d57fa341cd"
    )


@pytest.mark.parametrize("folder", ["tiny", "demo"])
def test_what_is_whole_opens(folder: str, tiny_package: Path) -> None:
    opened = open_package(tiny_package if folder == "tiny" else DEMO_MODEL)
    assert opened.card == ModelCard.read(opened.folder)


def reverse(array: np.ndarray) -> None:
    array *= -1


def nudge(array: np.ndarray) -> None:
    """Move the first number by a hundredth."""
    array.flat[0] *= 1.01


@pytest.mark.parametrize(
    ("graph", "constant", "change"),
    [
        (IMAGE_ENCODER, "bias", flip_first),
        (IMAGE_ENCODER, "filters", nudge),
        (IMAGE_ENCODER, "projection", flip_first),
        (TEXT_ENCODER, "table", lambda table: flip_first(table[2])),
        (TEXT_ENCODER, "table", lambda table: nudge(table[2])),
        (TEXT_ENCODER, "padding", lambda padding: padding.fill(2)),
    ],
)
def test_one_constant_that_is_not_the_makers_is_refused(
    package: Path, graph: str, constant: str, change: Callable[[np.ndarray], None]
) -> None:
    alter_constant(package, graph, constant, change)
    with pytest.raises(DamagedError, match=r"largest difference \S+ where 1e-05 is allowed"):
        open_package(package)


def test_one_attribute_that_is_not_the_makers_is_refused(package: Path) -> None:
    alter_attribute(package, IMAGE_ENCODER, "alpha", 0.1001)
    with pytest.raises(DamagedError, match="the golden image gets another embedding here"):
        open_package(package)
    # Who embeds no image need not care.
    assert open_package(package, image_threads=None).image_encoder is None


@pytest.mark.parametrize("graph", [TEXT_ENCODER, IMAGE_ENCODER])
@pytest.mark.parametrize("value", [0.2, 0.0, math.nan, math.inf])
def test_a_constant_answer_is_refused(package: Path, graph: str, value: float) -> None:
    constant_answer(package, graph, value)
    # Where it is not a number, so is the cosine.
    with pytest.raises(DamagedError, match=r"cosine (-?0|nan)"):
        open_package(package)


def two_tokens_exchanged(settings: dict[str, Any]) -> None:
    vocabulary = settings["model"]["vocab"]
    vocabulary["Ġfox"], vocabulary["Ġsea"] = vocabulary["Ġsea"], vocabulary["Ġfox"]


def one_token_less(settings: dict[str, Any]) -> None:
    settings["truncation"]["max_length"] -= 1


def unknown_end(settings: dict[str, Any]) -> None:
    settings["post_processor"]["special_tokens"]["<|endoftext|>"]["ids"] = [99999]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (two_tokens_exchanged, "the text 'a red fox in the snow' gets another embedding here"),
        (one_token_less, "the text 'one two three .*…' gets another embedding here"),
        (unknown_end, r"the text encoder fails: .*Export the model again"),
    ],
)
def test_another_tokenizer_is_refused(
    package: Path, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    alter_tokenizer(package, change)
    with pytest.raises(DamagedError, match=told):
        open_package(package)


def test_another_cleaning_is_refused(package: Path) -> None:
    tokens = ModelCard.read(package).tokens.model_copy(update={"cleaning": "whitespace"})
    vouch_anew(package, {"tokens": tokens})
    with pytest.raises(DamagedError, match="the text 'A Photo of a HOUSE' gets another"):
        open_package(package)


@pytest.mark.parametrize(
    "changed",
    [
        {"mean": (0.5, 0.5, 0.501)},
        {"std": (0.25, 0.251, 0.25)},
        {"interpolation": "bilinear"},
        {"resize_mode": "squash"},
        {"resize_mode": "longest"},
    ],
)
def test_other_preprocessing_is_refused(package: Path, changed: dict[str, Any]) -> None:
    preprocessing = ModelCard.read(package).preprocessing.model_copy(update=changed)
    vouch_anew(package, {"preprocessing": preprocessing})
    with pytest.raises(DamagedError, match="the golden image gets another embedding here"):
        open_package(package)


@pytest.mark.parametrize("number", [0, DIM - 1])
@pytest.mark.parametrize("by", [1e-3, -1e-3, 2e-5, -2e-5, 8e-6, -8e-6])
def test_more_than_the_tolerance_is_refused_and_less_is_not(
    package: Path, number: int, by: float
) -> None:
    golden = ModelCard.read(package).golden
    texts = list(golden.texts)
    moved = unpack(texts[1].embedding)
    moved[number] += by
    texts[1] = texts[1].model_copy(update={"embedding": pack(moved)})
    vouch_anew(package, {"golden": golden.model_copy(update={"texts": texts})})
    if abs(by) < golden.text_tolerance.largest:
        open_package(package)
        return
    with pytest.raises(DamagedError, match=f"'{texts[1].text}' .* difference {abs(by):.2g} where"):
        open_package(package)


def test_the_message_says_what_where_by_how_much_and_what_to_do(package: Path) -> None:
    alter_constant(package, TEXT_ENCODER, "table", reverse)
    vouch_anew(package, {"versions": {"onnxruntime": "1.2.3"}})
    with pytest.raises(DamagedError) as refused:
        open_package(package)
    message = str(refused.value)
    assert message.startswith(f"{package}: the text ")
    assert "by numpy, in float64: cosine -1.000000, largest difference " in message
    assert "where 1e-05 is allowed (float32 sums in another order)" in message
    assert f"ONNX Runtime is {ort.__version__}, at the export it was 1.2.3: install that" in message
    assert "python -m build model" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(
            lambda folder: alter_attribute(folder, TEXT_ENCODER, "epsilon", 1e-3),
            id="epsilon",
        ),
        pytest.param(
            lambda folder: alter_constant(folder, TEXT_ENCODER, "constant_16", reverse),
            id="scales",
        ),
    ],
)
def test_the_embedded_model_s_int8_graph_altered_is_refused(
    demo: Path, alter: Callable[[Path], None]
) -> None:
    alter(demo)
    with pytest.raises(DamagedError, match=r"where 0\.015 is allowed"):
        open_package(demo)


def test_a_package_of_an_older_release_is_told_so(package: Path) -> None:
    card = ModelCard.read(package)
    # Constructed, since it is not valid any more.
    ModelCard.model_construct(**{k: v for k, v in card if k != "golden"}).write(package)
    with pytest.raises(DamagedError, match=r"has no golden: another release .* python -m build"):
        ModelCard.read(package)


@pytest.mark.parametrize("embedding", ["AAAA", "no base64!", ""])
def test_an_embedding_of_another_width_is_refused(package: Path, embedding: str) -> None:
    card = ModelCard.read(package)
    vouch_anew(package, {"golden": card.golden.model_copy(update={"image": embedding})})
    with pytest.raises(DamagedError, match=rf"{MODEL_CARD} is damaged.*a golden embedding is not"):
        ModelCard.read(package)


@pytest.mark.parametrize("largest", [0, -1, math.inf, math.nan])
def test_a_tolerance_that_refuses_nothing_or_everything_is_none(largest: float) -> None:
    with pytest.raises(ValueError, match="largest"):
        Tolerance(largest=largest, because="it would be easier")


def test_a_quick_comparison_does_not_load_ftfy(tiny_package: Path) -> None:
    program = """
import sys
from pathlib import Path
from models.golden import compare_texts
from models.manifest import ModelCard
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer
folder = Path(sys.argv[1])
card = ModelCard.read(folder)
tokenizer, encoder = Tokenizer.load(folder, card), TextEncoder(folder, card)
compare_texts(folder, card, tokenizer, encoder, quickly=True)
assert "ftfy" not in sys.modules
assert "PIL" not in sys.modules
compare_texts(folder, card, tokenizer, encoder)
assert "ftfy" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program, str(tiny_package)], check=True)


def test_the_worst_is_told_as_it_is() -> None:
    golden = [pack(np.array(each, dtype=np.float32)) for each in ([3, 4], [1, 0], [0, 1])]
    found = np.array([[3, 4], [0, 2], [0, 1.5]], dtype=np.float32)
    drift = models.golden._worst(["one", "two", "three"], found, golden)
    assert (drift.name, drift.cosine, drift.largest) == ("two", 0.0, 2.0)
    drift = models.golden._worst(["one"], found[:1] * 2, golden[:1])
    assert (drift.name, drift.largest) == ("one", 4.0)
    assert drift.cosine == pytest.approx(1)
    found[2, 0] = np.nan
    drift = models.golden._worst(["one", "two", "three"], found, golden)
    assert drift.name == "three"
    assert np.isnan(drift.cosine)
    assert np.isnan(drift.largest)


def test_a_long_text_is_shortened_in_a_message() -> None:
    assert models.golden._shortened("x" * 40) == "x" * 40
    assert models.golden._shortened("x" * 41) == "x" * 39 + "…"


def test_an_encoder_that_fails_is_named_in_one_line() -> None:
    failure = models.golden._failure(Path("/b"), "text encoder", ValueError("a\n  b"))
    assert str(failure) == (
        "/b: the text encoder fails: a b Export the model again: python -m build model."
    )


def test_as_much_as_is_allowed_is_not_refused(tiny_package: Path) -> None:
    tiny = ModelCard.read(tiny_package)
    tolerance = tiny.golden.text_tolerance.model_copy(update={"largest": 0.25})
    drift = models.golden.Drift("the text 'fox'", 0.9, 0.25)
    models.golden._refuse(Path("/b"), tiny, drift, tolerance)
    further = models.golden.Drift("the text 'fox'", 0.9, 0.2500001)
    with pytest.raises(DamagedError) as refused:
        models.golden._refuse(Path("/b"), tiny, further, tolerance)
    here = f"ONNX Runtime is {ort.__version__}"
    again = "export the model again on this machine (python -m build model), then its bundles."
    assert str(refused.value) == (
        "/b: the text 'fox' gets another embedding here than by numpy, in float64: cosine "
        "0.900000, largest difference 0.25 where 0.25 is allowed (float32 sums in another order). "
        f"{here}: {again}"
    )
    for version, advice in [
        (ort.__version__, f"{here}: {again}"),
        ("1.2", f"{here}, at the export it was 1.2: install that, or {again}"),
    ]:
        built = tiny.model_copy(update={"versions": {"onnxruntime": version}})
        assert models.golden._advice(built) == advice
