"""Where an image was taken does not leave with it."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.images import read
from serving.gps import without_gps
from tests.tools import require_tool

HEIC = Path(__file__).parent / "black-dog.heic"


def with_exif(kind: str, **options: Any) -> bytes:
    """An image that says in EXIF where it was taken, and by what."""
    exif = Image.Exif()
    exif[271] = "Leica"
    exif.get_ifd(0x8825).update({1: "N", 2: (51.0, 30.0, 36.0), 3: "W", 4: (0.0, 7.0, 30.0)})
    stream = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(stream, kind, exif=exif, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_exif_says_nothing_of_it(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(with_exif(kind))
    before = path.read_bytes()
    left = without_gps(path)
    assert left is not None
    assert len(left) == len(before)
    assert path.read_bytes() == before, "the original stays as it is"
    with Image.open(io.BytesIO(left)) as image:
        image.load()
        assert image.getexif()[271] == "Leica"
        place = image.getexif().get_ifd(0x8825)
    # Nothing divided by nothing.
    assert str(place.get(2, (0.0,))[0]) in ("nan", "0.0")
    assert "N" not in place.values()
    assert read(left).image.tobytes() == read(before).image.tobytes()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "heic"])
def test_another_program_finds_nothing(suffix: str, tmp_path: Path) -> None:
    program = str(require_tool("exiftool", reason="another program than ours writes and reads"))
    path = tmp_path / f"a.{suffix}"
    if suffix == "heic":
        shutil.copyfile(HEIC, path)
    else:
        Image.linear_gradient("L").convert("RGB").save(path)
    tags = ["-EXIF:Make=Leica", "-XMP-photoshop:City=Oslo"]
    for group in ("EXIF", "XMP"):
        tags += [f"-{group}:GPSLatitude=51.51", f"-{group}:GPSLongitude=-0.125"]
        tags += [f"-{group}:GPSAltitude=35.5"]
    tags += ["-EXIF:GPSLatitudeRef=N", "-EXIF:GPSLongitudeRef=W"]
    subprocess.run([program, "-q", "-overwrite_original", *tags, str(path)], check=True)

    def told(path: Path) -> dict[str, Any]:
        asked = [program, "-json", "-n", "-G0", "-EXIF:all", "-XMP:all", "-validate", str(path)]
        ran = subprocess.run(asked, check=True, capture_output=True, text=True)
        found: dict[str, Any] = json.loads(ran.stdout)[0]
        return found

    assert told(path)["EXIF:GPSLatitude"] == 51.51
    left = tmp_path / f"b.{suffix}"
    left.write_bytes(without_gps(path) or b"")
    after = told(left)
    where = {str(value) for name, value in after.items() if ":GPSL" in name or ":GPSA" in name}
    assert not {one for one in where if re.search("[1-9NSEW]", one)}, after
    assert after["EXIF:Make"] == "Leica"
    assert after["XMP:City"] == "Oslo"


def test_what_says_nothing_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content in (b"", b"II*\0", b"GIF89a", b"Exif\0\0II*\0\xff\xff\xff\xff"):
        path.write_bytes(content)
        assert without_gps(path) is None
    Image.new("RGB", (4, 4)).save(path, "PNG")
    assert without_gps(path) is None


@given(at=st.integers(0, 400), value=st.integers(0, 255))
def test_a_broken_file_harms_nobody(
    at: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(with_exif("PNG" if at % 2 else "JPEG")[:600])
    content[at] = value
    path = tmp_path_factory.getbasetemp() / "broken"
    path.write_bytes(content)
    left = without_gps(path)
    assert left is None or len(left) == len(content)
