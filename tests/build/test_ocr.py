"""Text that is read from rendered signs, all the way through the command that a user types."""

from __future__ import annotations

import resource
import socket
from collections import Counter
from pathlib import Path

import pytest
from PIL import ExifTags, Image, ImageDraw, ImageFont

from build import ocr
from build.__main__ import main
from models.bundle import Bundle
from models.items import Item
from models.manifest import Manifest
from tests.build.images import image_bytes
from tests.service.conftest import serving
from tests.tools import require_module

# What stands on each, a line below the other.
SIGNS = [
    "NO ENTRY",
    "Exit only",
    "Beware of the dog",
    "Fresh bread\nevery morning",
    "Open Monday to Friday",
    "Please ring\nthe bell twice",
    "Caution\nwet floor",
    "Platform 4 to Oxford",
    "Private property\nkeep out",
    "Museum of Modern Art",
    "SLOW\nchildren crossing",
    "Tickets on sale here",
    "Lost cat\nreward 50 euros",
    "Quiet please",
    "Wash your hands",
    "Ferry leaves\nat noon",
    "Mind the gap",
    "Free parking after six",
    "Dead end road",
    "Bakery and\ncoffee shop",
]
FONTS = ["DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono", "STIXGeneral", "cmss10"]
SIZES = [20, 24, 32, 38]
COLOURS = [
    ("white", "#b00020"),
    ("black", "#ffd500"),
    ("#102030", "#e8e4d8"),
    ("white", "#005533"),
    ("#663300", "#f4e9d0"),
    ("#ffee88", "#1b2a6b"),
    ("#222222", "#9fc5e8"),
]


def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """One of those that matplotlib brings along: the same wherever the tests run."""
    require_module("matplotlib", "signs are written in its fonts")
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf", f"{name}.ttf"), size)


def write_sign(text: str, number: int) -> Image.Image:
    ink, paper = COLOURS[number % len(COLOURS)]
    size = SIZES[number % len(SIZES)]
    letters = font(FONTS[number % len(FONTS)], size)
    sign = Image.new("RGB", (480, 320), "#7d8b8f" if number % 2 else paper)
    draw = ImageDraw.Draw(sign)
    left, top = 24 + 3 * number % 20, 40 + 37 * number % 120
    box = draw.multiline_textbbox((left, top), text, letters, spacing=size // 3)
    draw.rectangle((box[0] - 14, box[1] - 14, box[2] + 14, box[3] + 14), paper)
    draw.multiline_text((left, top), text, ink, letters, spacing=size // 3)
    return sign


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The signs; two that are harder to come by; and what has no text."""
    folder = tmp_path_factory.mktemp("signs") / "signs"
    folder.mkdir()
    for number, text in enumerate(SIGNS):
        write_sign(text, number).save(folder / f"{number:02}.png")
    (folder / "01.txt").write_text("A sign over a door", "utf-8")
    # Upside down but for what EXIF says, and so its lower line the upper one.
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    write_sign(SIGNS[3], 3).rotate(180).save(folder / "turned.jpg", quality=95, exif=exif)
    large = Image.new("RGB", (4200, 2600), "#d8d4c8")
    ImageDraw.Draw(large).text((2500, 2000), "SMALL PRINT", "black", font("DejaVuSans-Bold", 40))
    large.save(folder / "large.jpg", quality=90)
    (folder / "blobs.png").write_bytes(image_bytes(1))
    letter = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(letter).text((70, 40), "A", "black", font("DejaVuSans-Bold", 100))
    letter.save(folder / "letter.png")
    return folder


@pytest.fixture(scope="module")
def command(signs: Path, tmp_path_factory: pytest.TempPathFactory, tiny_package: Path) -> list[str]:
    output = tmp_path_factory.mktemp("bundles") / "signs"
    where = ["--images", str(signs), "--output", str(output)]
    return ["index", *where, "--model", str(tiny_package), "--ocr"]


@pytest.fixture(scope="module")
def bundle(command: list[str]) -> Path:
    """The bundle of the signs, which needs no network."""
    require_module("rapidocr", "what reads text")

    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked for")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        assert main(command) == 0
    return Path(command[4])


def items(bundle: Path) -> dict[str, Item]:
    return {item.image_path: item for item in Bundle.open(bundle).items}


@pytest.mark.slow
def test_signs_are_read(bundle: Path) -> None:
    read = items(bundle)
    words, found = 0, 0
    for number, text in enumerate(SIGNS):
        wanted = Counter(text.split())
        words += wanted.total()
        item = read[f"{number:02}.png"]
        found += (wanted & Counter((item.text or "").split())).total()
        assert item.sources.get("text") == ("ocr" if item.text else None)
    assert words == 71
    assert found >= 0.95 * words, {path: item.text for path, item in read.items()}
    assert read["turned.jpg"].text == "Fresh bread every morning"
    assert read["large.jpg"].text == "SMALL PRINT"


@pytest.mark.slow
def test_what_has_no_text_has_none(bundle: Path) -> None:
    read = items(bundle)
    for name in ("blobs.png", "letter.png"):
        assert read[name].text is None
        assert "text" not in read[name].sources
        assert "Text:" not in read[name].alt_text


@pytest.mark.slow
def test_a_strip_takes_no_more_memory_than_a_page() -> None:
    require_module("rapidocr", "what reads text")
    reader = ocr.Reader(threads=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for size in ((2000, 1), (1, 2000), (1, 1)):
        assert reader.read(Image.new("RGB", size, "red")) == ""
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 500_000, "kilobytes"


@pytest.mark.slow
def test_the_bundle_says_who_read_it_and_an_unchanged_folder_is_not_read_again(
    bundle: Path,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    facts = Manifest.read(bundle).ocr
    assert facts is not None
    assert main(["info", str(bundle)]) == 0
    told = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert f"texts read by rapidocr {facts.version}" in told
    monkeypatch.setattr(ocr, "Reader", None)
    assert main(command) == 0
    assert "nothing changed" in capsys.readouterr().out


@pytest.mark.slow
def test_the_service_answers_with_the_text(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path / "log") as client:
        answer = client.post("/search", json={"query": "a sign", "k": 100})
    found = {result["image_path"]: result for result in answer.json()["results"]}
    assert found["00.png"]["text"] == "NO ENTRY"
    # The model's guess stands before it; with a person's words nothing else does.
    assert found["00.png"]["alt_text"].endswith(". Text: NO ENTRY")
    assert found["00.png"]["sources"] == {"text": "ocr", "alt_text": "tags"}
    assert found["01.png"]["text"] == "Exit only"
    assert found["01.png"]["alt_text"] == "A sign over a door"
    assert "text" not in found["blobs.png"]
