"""What exiftool has written into images, in an index of them."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from build.bundle_from_images import IndexOptions, build_index
from models.bundle import Bundle
from models.items import Item
from tests.tools import require_tool

GALLERY = Path(__file__).parents[2] / "demo" / "gallery"
PHOTOGRAPHS = 115

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
    xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
    photoshop:City="{city}">
   <Iptc4xmpCore:AltTextAccessibility><rdf:Alt>
    <rdf:li xml:lang="x-default">{alt_text}</rdf:li>
   </rdf:Alt></Iptc4xmpCore:AltTextAccessibility>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>"""


def exiftool(folder: Path, said: dict[str, dict[str, Any]]) -> None:
    """Write tags into images, by their names in the folder."""
    program = require_tool("exiftool", reason="metadata is written by another program than ours")
    table = folder.parent / "tags.json"
    rows = [{"SourceFile": str(folder / name)} | tags for name, tags in said.items()]
    table.write_text(json.dumps(rows), "utf-8")
    command = [str(program), f"-json={table}", "-overwrite_original", "-q", "-charset", "iptc=UTF8"]
    command += ["-codedcharacterset=utf8", str(folder)]
    subprocess.run(command, check=True, capture_output=True, text=True)


def indexed(folder: Path, package: Path, **options: Any) -> dict[str, Item]:
    bundle = folder.parent / "bundles" / "photos"
    build_index(IndexOptions(output=bundle, model=package, images=folder, **options))
    with closing(Bundle.open(bundle)) as opened:
        return {item.image_path: item for item in opened.items}


def test_115_photographs_say_what_was_written_into_them(tmp_path: Path, tiny_package: Path) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    said = {}
    # A third each: in IPTC and EXIF as newsrooms did, in XMP, in a format that has XMP only.
    for number, path in enumerate(sorted(GALLERY.glob("*/*.jpg"))[:PHOTOGRAPHS]):
        tags: dict[str, Any]
        day = f"{1900 + number}:05:01"
        if number % 3 == 0:
            name = f"{number}.jpg"
            shutil.copyfile(path, folder / name)
            tags = {
                "IPTC:Caption-Abstract": f"Bildunterschrift {number} in Zürich",
                "IPTC:Keywords": ["fox", f"number {number}"],
                "IPTC:By-line": f"Ann No. {number}",
                "EXIF:DateTimeOriginal": f"{day} 12:30:00",
                "XMP-iptcCore:AltTextAccessibility": f"Alt text {number}",
            }
        else:
            name = (
                f"{number}.jpg"
                if number % 3 == 1
                else f"{number}.{'png' if number % 2 else 'webp'}"
            )
            if name.endswith(".jpg"):
                shutil.copyfile(path, folder / name)
            else:
                with Image.open(path) as image:
                    image.save(folder / name)
            tags = {
                "XMP-dc:Description": f"Bildunterschrift {number} in Zürich",
                "XMP-dc:Subject": ["fox", f"number {number}"],
                "XMP-dc:Creator": f"Ann No. {number}",
                "XMP-photoshop:DateCreated": f"{day} 12:30:00",
                "XMP-iptcCore:AltTextAccessibility": f"Alt text {number}",
            }
        said[name] = tags
    exiftool(folder, said)
    items = indexed(folder, tiny_package)
    assert len(items) == PHOTOGRAPHS
    for name, item in items.items():
        number = int(name.partition(".")[0])
        assert item.caption == f"Bildunterschrift {number} in Zürich", name
        assert item.alt_text == f"Alt text {number}"
        assert item.metadata["keywords"] == ["fox", f"number {number}"]
        assert item.metadata["creator"] == [f"Ann No. {number}"]
        assert item.metadata["taken_at"] == f"{1900 + number}-05-01T12:30:00"
        assert item.sources["alt_text"] == "xmp-alt-text"
        assert item.sources["caption"] == ("xmp" if number % 3 else "iptc")
        assert item.sources["taken_at"] == ("xmp" if number % 3 else "exif")
    with closing(Bundle.open(tmp_path / "bundles" / "photos")) as bundle:
        found = bundle.items.matching({"taken_at": {"gte": "1920", "lt": "1930-06"}})
        assert len(found.positions) == 11


def test_where_and_how_it_was_taken_only_for_those_who_ask(
    tmp_path: Path, tiny_package: Path
) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.new("RGB", (60, 40), "red").save(folder / "a.jpg")
    exiftool(
        folder,
        {
            "a.jpg": {
                "EXIF:Make": "Canon",
                "EXIF:Model": "Canon EOS 5D",
                "EXIF:LensModel": "EF 50mm f/1.8",
                "EXIF:ISO": 400,
                "EXIF:ExposureTime": "1/250",
                "EXIF:FNumber": 2.8,
                "EXIF:GPSLatitude": 51.51,
                "EXIF:GPSLatitudeRef": "South",
                "EXIF:GPSLongitude": 0.125,
                "EXIF:GPSLongitudeRef": "West",
                "XMP-xmp:Rating": 4,
                "XMP-photoshop:City": "Oslo",
            }
        },
    )
    basic = {"camera": "Canon EOS 5D", "lens": "EF 50mm f/1.8", "rating": 4, "city": "Oslo"}
    assert indexed(folder, tiny_package)["a.jpg"].metadata == basic
    # Nothing is embedded or read anew for another wish.
    everything = indexed(folder, tiny_package, metadata="all")["a.jpg"].metadata
    assert everything == basic | {
        "iso": 400,
        "exposure_seconds": 0.004,
        "aperture": 2.8,
        "latitude": -51.51,
        "longitude": -0.125,
    }
    assert indexed(folder, tiny_package, metadata="none")["a.jpg"].metadata == {}


def test_files_beside_an_image_come_before_what_is_in_it(
    tmp_path: Path, tiny_package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        Image.new("RGB", (60, 40), "red" if name == "a.jpg" else "navy").save(folder / name)
    (folder / "a.xmp").write_text(XMP.format(city="Oslo", alt_text="By Lightroom"))
    (folder / "a.jpg.XMP").write_text(XMP.format(city="Bergen", alt_text="By darktable"))
    (folder / "a.json").write_text('{"caption": "By hand", "city": "Trondheim"}')
    (folder / "b.xmp").write_text(XMP.format(city="Oslo", alt_text="Of b"))
    (folder / "b.csv").write_text("")
    (folder / "c.xmp").write_text("<!DOCTYPE x><x/>")
    items = indexed(folder, tiny_package)
    assert items["a.jpg"].alt_text == "By darktable"
    assert items["a.jpg"].caption == "By hand"
    assert items["a.jpg"].metadata == {"city": "Trondheim"}
    assert items["a.jpg"].sources == {
        "alt_text": "xmp-alt-text",
        "caption": "sidecar",
    }
    assert items["b.jpg"].alt_text == "Of b"
    assert items["b.jpg"].sources["city"] == "xmp-sidecar"
    assert items["c.jpg"].sources == {"alt_text": "tags"}
    assert "c.xmp: has a document type" in capsys.readouterr().err


def test_alt_text_can_be_written_beside_an_image(tmp_path: Path, tiny_package: Path) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.new("RGB", (60, 40), "red").save(folder / "a.jpg")
    (folder / "captions.csv").write_text("image_path,caption,alt_text\na.jpg,Red,A red field\n")
    (item,) = indexed(folder, tiny_package).values()
    assert (item.caption, item.alt_text, item.metadata) == ("Red", "A red field", {})
    assert item.sources == {"caption": "sidecar", "alt_text": "sidecar"}


def test_a_journal_that_knows_nothing_of_it_learns_without_embedding(
    tmp_path: Path, tiny_package: Path
) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    exif = Image.Exif()
    exif[271] = "Leica"
    Image.new("RGB", (60, 40), "red").save(folder / "a.jpg", exif=exif)
    indexed(folder, tiny_package)
    with sqlite3.connect(tmp_path / "bundles" / ".photos.journal.sqlite") as journal:
        journal.execute("DROP TABLE said")
    journal.close()
    outcome = build_index(
        IndexOptions(output=tmp_path / "bundles" / "photos", model=tiny_package, images=folder)
    )
    assert (outcome.reused, outcome.changed) == (1, False)
