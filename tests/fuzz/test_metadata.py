"""What images say of themselves, broken: the image is there without it, or is refused."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import event, given
from PIL import Image

from build.metadata.description import combine, written_by_programs
from build.metadata.embedded import Embedded
from build.metadata.xmp import read_xmp, xmp_fields
from models.images import ImageError, read
from tests.dng import dng
from tests.fuzz.conftest import bounded, tries
from tests.fuzz.edits import edited
from tests.unit.test_metadata import packet

PACKET = packet(
    "<dc:subject><rdf:Bag><rdf:li>fox</rdf:li><rdf:li>snow</rdf:li></rdf:Bag></dc:subject>"
    '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">A fox</rdf:li></rdf:Alt>'
    "</dc:description><exif:GPSLatitude>51,30.6N</exif:GPSLatitude>",
    'xmp:Rating="4" photoshop:DateCreated="1920-05"',
)
# Two records of IPTC-IIM in one of Photoshop's resources.
IPTC = b"\x1c\x02\x78\0\x05A fox\x1c\x02\x19\0\x03fox"
PHOTOSHOP = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0" + bytes([len(IPTC)]) + IPTC


def _corpus() -> Iterator[bytes]:
    exif = Image.Exif()
    exif[271], exif[270], exif[0x4746] = "Leica", "A fox", 4
    exif.get_ifd(0x8769).update({36867: "2019:07:04 12:30:15", 33437: 2.8, 42036: "Summicron"})
    exif.get_ifd(0x8825).update({1: "N", 2: (51.0, 30.0, 36.0), 3: "W", 4: (0.0, 7.0, 30.0)})
    image = Image.linear_gradient("L").resize((40, 30)).convert("RGB")
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        stream = io.BytesIO()
        image.save(stream, kind, exif=exif, **({} if kind in ("PNG", "TIFF") else {"xmp": PACKET}))
        yield stream.getvalue()
    stream = io.BytesIO()
    image.save(stream, "TIFF", tiffinfo={700: PACKET, 271: "Leica"})
    yield stream.getvalue()
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG")
    head, rest = jpeg.getvalue()[:2], jpeg.getvalue()[2:]
    length = (len(PHOTOSHOP) + 2).to_bytes(2, "big")
    yield head + b"\xff\xed" + length + PHOTOSHOP + rest
    yield dng(image.resize((600, 450)))
    yield dng(None)


CORPUS = list(_corpus())


# Told, and no failure: what Pillow says of files that somebody broke.
@pytest.mark.filterwarnings("default::UserWarning")
@given(content=edited(CORPUS))
@tries(1000)
def test_what_an_image_says_is_read_or_left_out(content: bytes) -> None:
    embedded = Embedded()
    with bounded():
        try:
            read(content, reduce_to=224, inspect=embedded.inspect)
        except ImageError as error:
            event(error.reason)
            return
        said = combine(written_by_programs(embedded.fields, "all"))
        json.dumps([said.caption, said.metadata], allow_nan=False).encode()
    event("said" if said.sources else "says nothing")


@given(content=edited([PACKET]))
@tries(600)
def test_xmp_is_read_or_refused(content: bytes) -> None:
    with bounded():
        try:
            fields = xmp_fields(read_xmp(content))
        except ValueError:
            return
        json.dumps(fields, allow_nan=False).encode()


@pytest.mark.parametrize("number", range(len(CORPUS)))
def test_what_the_corpus_says_is_read(number: int) -> None:
    embedded = Embedded()
    read(CORPUS[number], inspect=embedded.inspect)
    assert embedded.fields
