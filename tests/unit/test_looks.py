"""How images look from afar, and the file of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.folder import Folder
from models.looks import WIDTH, LookStore, look_of, unit_looks, write_looks
from models.manifest import LOOKS, DamagedError, record_files

NOTHING = bytes(WIDTH)


def drawn(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Coarse colours with fine structure."""
    chance = np.random.default_rng(seed)
    coarse = Image.fromarray(chance.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), dtype=np.int16)
    fine = chance.integers(-20, 21, (size[1], size[0], 1), dtype=np.int16)
    return Image.fromarray(np.clip(pixels + fine, 0, 255).astype(np.uint8))


def vector(image: Image.Image) -> np.ndarray:
    vectors = unit_looks(np.frombuffer(look_of(image), np.uint8)[np.newaxis])
    row: np.ndarray = vectors[0]
    return row


@pytest.mark.parametrize("seed", range(5))
def test_copies_look_alike_and_others_do_not(seed: int) -> None:
    image = drawn(seed)
    assert len(look_of(image)) == WIDTH
    copies = [image.resize((40, 30)), image.resize((640, 480)), image.crop((4, 3, 156, 117))]
    own = vector(image)
    assert own @ own == pytest.approx(1)
    assert min(float(own @ vector(copy)) for copy in copies) > 0.95
    assert own @ vector(drawn(seed + 100)) < 0.8


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (3, 3), (5, 700), (6, 6)])
def test_any_size_has_a_look(size: tuple[int, int]) -> None:
    assert len(look_of(drawn(0, size))) == WIDTH


def test_what_is_transparent_is_white() -> None:
    image = drawn(1)
    cut = image.convert("RGBA")
    cut.putalpha(Image.new("L", image.size, 0))
    assert look_of(cut) == look_of(Image.new("RGB", image.size, "white"))
    white = Image.new("RGBA", image.size, "white")
    half = drawn(2).convert("RGBA")
    half.putalpha(Image.linear_gradient("L").resize(half.size))
    shown = Image.alpha_composite(white, half).convert("RGB")
    assert vector(half) @ vector(shown) > 0.999


@pytest.mark.parametrize("colour", ["black", "white", "#777"])
def test_one_shade_of_grey_says_nothing(colour: str) -> None:
    image = Image.new("RGB", (50, 50), colour)
    assert look_of(image) != NOTHING
    assert not vector(image).any()


@pytest.mark.parametrize("colour", ["red", "lime", "blue", "cyan", "yellow", "magenta"])
def test_a_colour_does(colour: str) -> None:
    image = Image.new("RGB", (50, 50), colour)
    assert vector(image) @ vector(image) == pytest.approx(1)


def stored(folder: Path, looks: list[bytes | None]) -> Folder:
    assert write_looks(folder / LOOKS, looks)
    held = Folder(folder)
    held.open(record_files(folder, [LOOKS]))
    return held


def test_what_is_written_is_read(tmp_path: Path) -> None:
    looks = [look_of(drawn(0)), None, look_of(drawn(1))]
    store = LookStore.load(stored(tmp_path, looks))
    rows = store.get(np.array([2, 1, 0, 2]))
    assert rows.dtype == np.float32
    assert (rows[[0, 2, 3]] == [vector(drawn(1)), vector(drawn(0)), vector(drawn(1))]).all()
    assert not rows[1].any()
    assert store.get(np.array([], dtype=np.int64)).shape == (0, WIDTH)


def test_there_is_no_file_without_any_look(tmp_path: Path) -> None:
    assert not write_looks(tmp_path / LOOKS, [None, None])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mapped", [False, True])
def test_damage_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped: bool) -> None:
    if mapped:
        monkeypatch.setattr("models.folder.IN_MEMORY_UP_TO", 10)
    held = stored(tmp_path, [look_of(drawn(seed)) for seed in range(3)])
    content = bytearray((tmp_path / LOOKS).read_bytes())
    content[WIDTH + 4 + 20] ^= 1
    (tmp_path / LOOKS).write_bytes(content)
    if not mapped:
        with pytest.raises(DamagedError, match=LOOKS):
            LookStore.load(held)
        return
    held = Folder(tmp_path)
    held.open(record_files(tmp_path, [LOOKS]))
    store = LookStore.load(held)
    assert store.get(np.array([0, 2])).any()
    for _ in range(2):
        with pytest.raises(DamagedError, match="the look at 1"):
            store.get(np.array([0, 1]))


def test_what_is_trusted_is_not_checked(tmp_path: Path) -> None:
    content = bytearray(WIDTH + 4)
    content[0] = 1
    store = LookStore(bytes(content), tmp_path / LOOKS)
    with pytest.raises(DamagedError, match="the look at 0"):
        store.get(np.array([0]))
    store.trust()
    assert store.get(np.array([0])).shape == (1, WIDTH)


def test_half_a_row_is_damage(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match=r"looks\.bin is no file of looks"):
        LookStore(bytes(WIDTH), tmp_path / LOOKS)
