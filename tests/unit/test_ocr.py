"""What becomes of the texts in images; what reads them is played here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from build import ocr
from build.__main__ import main
from build.errors import BuildError
from build.ocr import Reader, in_reading_order
from models.bundle import Bundle
from models.images import read_content
from models.items import Item
from models.manifest import Manifest, OcrFacts
from tests.conftest import ROOT

COLOURS = ["red", "green", "blue", "white", "black", "navy"]


class Player:
    """Reads the colour of an image of one; white it cannot name, and black is beyond it."""

    asked: list[str]

    def __init__(self, threads: int) -> None:
        assert threads > 0

    def read(self, image: Image.Image) -> str:
        assert image.mode == "RGB"
        pixel = image.getpixel((0, 0))
        [colour] = [
            name for name in COLOURS if Image.new("RGB", (1, 1), name).getpixel((0, 0)) == pixel
        ]
        self.asked.append(colour)
        if colour == "black":
            raise RuntimeError("a stack\nit is dark")
        return "" if colour == "white" else colour


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the player is asked to read, in that order."""
    Player.asked = []
    monkeypatch.setattr(ocr, "Reader", Player)
    monkeypatch.setattr(ocr, "version", lambda _: "1.0")
    return Player.asked


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """An image of each colour, and green twice."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in COLOURS:
        Image.new("RGB", (40, 30), name).save(folder / f"{name}.png")
    shutil.copy(folder / "green.png", folder / "other.png")
    return folder


@pytest.fixture
def command(images: Path, tmp_path: Path, tiny_package: Path) -> list[str]:
    where = ["--images", str(images), "--output", str(tmp_path / "bundle")]
    return ["index", *where, "--model", str(tiny_package), "--ocr"]


def texts(bundle: Path) -> dict[str, str | None]:
    return {item.image_path: item.text for item in items(bundle)}


def items(bundle: Path) -> list[Item]:
    return list(Bundle.open(bundle).items)


def test_each_image_is_read_once_whatever_is_found(
    command: list[str],
    images: Path,
    tmp_path: Path,
    asked: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = tmp_path / "bundle"
    assert main(command) == 0
    assert sorted(asked) == sorted(COLOURS)
    found = texts(bundle)
    assert found["green.png"] == found["other.png"] == "green"
    assert found["white.png"] is found["black.png"] is None
    assert f"{images / 'black.png'}: its text cannot be read (it is dark)" in (
        capsys.readouterr().err
    )
    assert Manifest.read(bundle).ocr == OcrFacts(name="rapidocr", version="1.0")

    # Nothing is read again but what is new, and what could not be read.
    asked.clear()
    assert main(command) == 0
    assert asked == []
    assert "nothing changed" in capsys.readouterr().out
    Image.new("RGB", (50, 50), "red").save(images / "new.png")
    assert main(command) == 0
    assert asked == ["black", "red"]

    # Without it there is no text; what was read is remembered.
    assert main(command[:-1]) == 0
    assert set(texts(bundle).values()) == {None}
    assert Manifest.read(bundle).ocr is None
    asked.clear()
    assert main(command) == 0
    assert texts(bundle)["blue.png"] == "blue"
    assert asked == ["black"]


def test_what_another_release_read_is_read_again(
    command: list[str], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(command) == 0
    asked.clear()
    monkeypatch.setattr(ocr, "version", lambda _: "2.0")
    assert main(command) == 0
    assert len(asked) == len(COLOURS)


_SLOWLY = """
import sys, time
from build import ocr
from build.__main__ import main
from tests.unit.test_ocr import Player
class Slow(Player):
    asked = []
    def read(self, image):
        if len(self.asked) == 3:
            print("stopped here", flush=True)
            time.sleep(600)
        return super().read(image)
ocr.Reader = Slow
ocr.version = lambda _: "1.0"
main(sys.argv[1:])
"""


def test_a_killed_build_goes_on(command: list[str], tmp_path: Path, asked: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _SLOWLY, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as build:
        assert build.stdout is not None
        assert build.stdout.readline() == "stopped here\n"
        build.kill()
    assert not (tmp_path / "bundle").exists()
    assert main(command) == 0
    # Of black, blue and green nothing could be read in the first.
    assert sorted(asked) == ["black", "navy", "red", "white"]
    assert texts(tmp_path / "bundle")["green.png"] == "green"


def test_an_image_that_changed_meanwhile_is_not_read(images: Path, asked: list[str]) -> None:
    player = Player(1)
    assert ocr._text(player, images / "red.png", b"another", read_content) is None
    assert ocr._text(player, images / "gone.png", b"another", read_content) is None
    assert asked == []


def test_a_package_that_is_not_there_is_said_before_anything_is_embedded(
    command: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(ocr, "version", missing)
    assert main(command) == 1
    assert "pip install -r requirements/ocr.txt" in capsys.readouterr().err
    assert not (tmp_path / ".bundle.journal.sqlite").exists()


def test_nor_are_its_models_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rapidocr").mkdir()
    (tmp_path / "rapidocr/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "rapidocr"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(BuildError, match=r"no model \*_det_\*\.onnx.*requirements/ocr\.txt"):
        Reader(1)


def test_without_images_there_is_nothing_to_read(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--embeddings", "x.npy", "--paths", "x.txt", "--model", "x", "--output", "y"]
    assert main(["index", *given, "--ocr"]) == 1
    assert "--ocr reads the images: give --images" in capsys.readouterr().err


def box(left: float, top: float, right: float, bottom: float, *, lower: float = 0) -> list[object]:
    """Corners from the upper left, clockwise; the right ones so many pixels lower."""
    return [[left, top], [right, top + lower], [right, bottom + lower], [left, bottom]]


@pytest.mark.parametrize(
    "boxes",
    [
        [box(0, 0, 90, 20), box(0, 30, 90, 50), box(0, 60, 90, 80)],
        # Of one line, and the later words higher.
        [box(0, 14, 90, 50), box(100, 9, 190, 45), box(200, 2, 240, 38)],
        # A heading beside which something stands, and a line below both.
        [box(0, 0, 200, 60), box(220, 20, 300, 45), box(5, 70, 100, 90)],
        # Lines that run downhill by more than their height.
        [box(3, 0, 400, 20, lower=60), box(0, 24, 400, 44, lower=60), box(9, 50, 400, 70)],
    ],
)
def test_texts_come_line_by_line(boxes: list[object]) -> None:
    words = ["first", "second", "third"]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        some = np.array([boxes[place] for place in order], dtype=np.float32)
        assert in_reading_order(some, [words[place] for place in order]) == words
