"""What images say of themselves: texts, dates and numbers, XMP, IPTC and EXIF by themselves."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import build.metadata
from build.metadata import ONLY_WITH_ALL
from build.metadata.description import Description, combine, written_by_programs
from build.metadata.embedded import Embedded
from build.metadata.exif import exif_fields
from build.metadata.iptc import iptc_fields
from build.metadata.values import camera, date, degrees, number, rating, text, texts
from build.metadata.xmp import read_xmp, xmp_fields

NAMESPACES = " ".join(
    f'xmlns:{prefix}="{namespace}"'
    for prefix, namespace in {
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "dc": "http://purl.org/dc/elements/1.1/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
        "exif": "http://ns.adobe.com/exif/1.0/",
    }.items()
)


def packet(inner: str, attributes: str = "") -> bytes:
    return (
        (
            '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
            '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
            f'<rdf:RDF {NAMESPACES}><rdf:Description rdf:about="" {attributes}>{inner}'
            '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
        ).encode()
        + b" " * 100
        + b"\0"
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2019:07:04 12:30:15", "2019-07-04T12:30:15"),
        ("2019-07-04T12:30:15.25+02:00", "2019-07-04T12:30:15"),
        ("2019-07-04T12:30Z", "2019-07-04T12:30:00"),
        ("20190704T123015+0200", "2019-07-04T12:30:15"),
        ("20190704", "2019-07-04"),
        ("19200500", "1920-05"),
        ("19200000", "1920"),
        ("1920", "1920"),
        ("1920-05", "1920-05"),
        (b"2019:07:04 12:30:15\0", "2019-07-04T12:30:15"),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("2019:02:30 12:00:00", None),
        ("2019:13:01 12:00:00", None),
        ("2019-13", None),
        ("2019:07:04 25:00:00", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_dates_as_they_are_written(written: object, read: str | None) -> None:
    assert date(written) == read


@given(moment=st.datetimes(min_value=datetime(1800, 1, 1)))
def test_any_moment_is_read_as_it_was(moment: datetime) -> None:
    expected = moment.replace(microsecond=0).isoformat()
    assert date(moment.strftime("%Y:%m:%d %H:%M:%S")) == expected
    assert date(moment.isoformat()) == expected


@given(value=st.text() | st.binary() | st.none() | st.integers())
def test_nothing_makes_a_reader_of_values_fail(value: object) -> None:
    line = text(value)
    assert line is None or (line.isprintable() and line.encode() and line == text(line))
    date(value)
    rating(value)
    assert number(value) is None or isinstance(number(value), int | float)


def test_texts_are_one_line_each_and_there_once() -> None:
    assert text(" A fox\r\n\tlooks\x07 back ") == "A fox looks back"
    assert text("Zu\u0308rich".encode()) == "Zürich"
    assert text("Zürich".encode("cp1252")) == "Zürich"
    assert text("  ") is None
    # A family, a flag, and "I want" in Persian.
    for joined in ("\U0001f468\u200d\U0001f469", "\U0001f3f4\U000e0067\U000e007f", "می\u200cخواهم"):
        assert text(joined) == joined
    assert text("right\u202eto left") == "right to left"
    assert len(text("x" * 100_000) or "") == 10_000
    assert texts(["fox", b"fox", "", None, "snow"]) == ["fox", "snow"]


def test_numbers_and_fractions() -> None:
    assert [number(value) for value in ("1/250", 2.8, "400", 50.0, "1/0", "x", None)] == [
        0.004,
        2.8,
        400,
        50,
        None,
        None,
        None,
    ]
    assert number(float("nan")) is None
    assert number("1e999") is None
    assert [rating(value) for value in ("5", 0, -1, 6, 2.5, "x")] == [5, 0, -1, None, None, None]


def test_a_camera_has_its_makers_name_once() -> None:
    assert camera("Canon", "Canon EOS 5D") == "Canon EOS 5D"
    assert camera("NIKON CORPORATION", "NIKON D70") == "NIKON D70"
    assert camera("Apple", "iPhone 15 Pro") == "Apple iPhone 15 Pro"
    assert camera(None, "X100") == "X100"
    assert camera("Leica", None) == "Leica"
    assert camera(None, None) is None


def test_angles() -> None:
    assert degrees((51, 30, 36), "N") == 51.51
    assert degrees((0, 7.5), "W") == -0.125
    assert degrees((91,), "N") is None
    assert degrees((179,), "E") == 179
    assert degrees((), "E") is None
    assert degrees((float("nan"),), "E") is None
    assert degrees((1,), "up") is None


def test_xmp_in_attributes_and_in_elements() -> None:
    properties = read_xmp(
        packet(
            "<dc:description><rdf:Alt>"
            '<rdf:li xml:lang="de">Ein Fuchs</rdf:li>'
            '<rdf:li xml:lang="x-default">A fox</rdf:li>'
            "</rdf:Alt></dc:description>"
            "<dc:subject><rdf:Bag><rdf:li>fox</rdf:li><rdf:li>snow</rdf:li></rdf:Bag></dc:subject>"
            "<dc:creator><rdf:Seq><rdf:li>Ann</rdf:li></rdf:Seq></dc:creator>"
            "<Iptc4xmpCore:AltTextAccessibility><rdf:Alt>"
            '<rdf:li xml:lang="en">A fox looks back</rdf:li>'
            "</rdf:Alt></Iptc4xmpCore:AltTextAccessibility>"
            '<photoshop:City rdf:parseType="Resource">'
            "<rdf:value>Oslo</rdf:value><xmp:x>1</xmp:x></photoshop:City>"
            "<exif:GPSLatitude>51,30.6N</exif:GPSLatitude>"
            "<exif:GPSLongitude>0,7,30W</exif:GPSLongitude>",
            'xmp:Rating="4" photoshop:DateCreated="1920-05"',
        )
    )
    assert xmp_fields(properties) == {
        "caption": "A fox",
        "alt_text": "A fox looks back",
        "keywords": ["fox", "snow"],
        "creator": ["Ann"],
        "city": "Oslo",
        "rating": 4,
        "taken_at": "1920-05",
        "latitude": 51.51,
        "longitude": -0.125,
    }


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"no XML",
        b"<unclosed>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        b"<x>" + b" " * (8 << 20) + b"</x>",
    ],
)
def test_xml_that_is_not_taken(xml: bytes) -> None:
    with pytest.raises(ValueError, match=r"XML|document type|larger"):
        read_xmp(xml)


def test_xmp_without_an_end_of_nesting() -> None:
    inner = "<rdf:Bag><rdf:li>" * 5000 + "</rdf:li></rdf:Bag>" * 5000
    assert "{http://purl.org/dc/elements/1.1/}subject" in read_xmp(
        packet(f"<dc:subject>{inner}</dc:subject>")
    )


def test_iptc() -> None:
    assert iptc_fields(
        {
            (2, 120): "Ein Fuchs in Zürich".encode(),
            (2, 25): [b"fox", b"snow"],
            (2, 80): b"Ann",
            (2, 55): b"19200501",
            (2, 60): b"123000+0200",
            (2, 90): "Zürich".encode("cp1252"),
            (2, 101): b"",
        }
    ) == {
        "caption": "Ein Fuchs in Zürich",
        "keywords": ["fox", "snow"],
        "creator": ["Ann"],
        "taken_at": "1920-05-01T12:30:00",
        "city": "Zürich",
    }
    assert iptc_fields({(2, 55): b"19200500", (2, 60): b"120000"}) == {"taken_at": "1920-05"}


@pytest.mark.parametrize(
    "said",
    [
        "OLYMPUS DIGITAL CAMERA",
        "SONY DSC",
        "KONICA MINOLTA DIGITAL CAMERA",
        "Exif_JPEG_PICTURE",
        "DCIM\\100GOPRO",
        "dav",
        "IMG_1234",
        "DSC00012.JPG",
        "Created with GIMP",
        "untitled",
    ],
)
def test_what_cameras_write_is_no_caption(said: str) -> None:
    exif = Image.Exif()
    exif[270] = said
    assert exif_fields(exif) == {}


@pytest.mark.parametrize("said", ["A fox", "Fuchs", "Damenrad", "Our 2 dogs", "1969 Tokyo"])
def test_what_people_write_is_one(said: str) -> None:
    exif = Image.Exif()
    exif[270] = said
    assert exif_fields(exif) == {"caption": said}


def test_the_last_word_counts_field_by_field() -> None:
    assert combine(
        [
            ("exif", {"caption": "exif", "taken_at": "2019"}),
            ("xmp", {"caption": "xmp", "alt_text": "alt", "city": "Oslo"}),
            ("sidecar", {"caption": "sidecar", "city": "Bergen"}),
        ]
    ) == Description(
        "sidecar",
        "alt",
        {"taken_at": "2019", "city": "Bergen"},
        {"caption": "sidecar", "alt_text": "xmp-alt-text", "taken_at": "exif"},
    )
    assert combine([]) == Description()


def test_a_headline_stands_for_a_caption() -> None:
    said = combine([("iptc", {"headline": "Fox seen", "title": "IMG_1"})])
    assert (said.caption, said.sources["caption"]) == ("Fox seen", "iptc")
    assert said.metadata == {"headline": "Fox seen", "title": "IMG_1"}


def test_where_it_was_is_told_to_nobody_who_did_not_ask() -> None:
    said: dict[str, Any] = {"exif": dict.fromkeys(ONLY_WITH_ALL, 1) | {"camera": "X"}}
    said["xmp-sidecar"] = {"latitude": 1.0, "city": "Oslo"}
    assert dict(written_by_programs(said, "basic"))["exif"] == {"camera": "X"}
    assert dict(written_by_programs(said, "basic"))["xmp-sidecar"] == {"city": "Oslo"}
    assert dict(written_by_programs(said, "all"))["exif"] == said["exif"]
    assert list(written_by_programs(said, "none")) == []


def test_damaged_metadata_takes_nothing_else_with_it() -> None:
    image = Image.new("RGB", (2, 2))
    image.info["xmp"] = b"<unclosed>"
    image.getexif()[271] = "Leica"
    embedded = Embedded()
    embedded.inspect(image)
    assert embedded.fields == {"exif": {"camera": "Leica"}}


def test_every_field_is_documented() -> None:
    fields = set(re.findall(r"``(\w+)``", build.metadata.__doc__ or "")) - {"taken_at"}
    page = (Path(__file__).parents[2] / "docs" / "images.md").read_text("utf-8")
    assert len(fields) > 20
    assert {name for name in fields if f"`{name}`" not in page.replace("metadata.", "")} == set()
    assert fields >= ONLY_WITH_ALL
