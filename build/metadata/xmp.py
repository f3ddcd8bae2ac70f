"""XMP: the XML in which programs write what people say of an image.

It lies in the image's file or in one beside it, and whoever sends an image has written it: it
is read by a parser that opens nothing, expands nothing, and knows no document type.

Format: ISO 16684-1, section 7, which names the part of RDF/XML that XMP is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from build.metadata import Fields
from build.metadata.values import camera, date, degrees, kept, number, rating, text, texts

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# A text, a list, or what has names: the parts of a structure, the languages of a text.
Value = str | list["Value"] | dict[str, "Value"]

LARGEST = 8 << 20
_DEEPEST = 20
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_XML = "{http://www.w3.org/XML/1998/namespace}"
_LANGUAGE = f"{_XML}lang"
_ANY_LANGUAGE = "x-default"
_DC = "{http://purl.org/dc/elements/1.1/}"
_PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
_XMP = "{http://ns.adobe.com/xap/1.0/}"
_IPTC = "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}"
_IPTC_EXT = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
_TIFF = "{http://ns.adobe.com/tiff/1.0/}"
_EXIF = "{http://ns.adobe.com/exif/1.0/}"
_EXIF_EX = "{http://cipa.jp/exif/1.0/}"
_AUX = "{http://ns.adobe.com/exif/1.0/aux/}"
# Degrees and minutes, or degrees, minutes and seconds: 51,30.5N.
_COORDINATE = re.compile(r"(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?([NSEW])")


def read_xmp(packet: bytes) -> dict[str, Value]:
    """The properties of an XMP packet by name, ``{namespace}name``.

        >>> read_xmp(packet)["{http://purl.org/dc/elements/1.1/}subject"]
        ['fox', 'snow']

    Args:
        packet: XML, in UTF-8 or with the mark of another encoding; what surrounds it may be there.

    Raises:
        ValueError: says what is wrong with it.
    """
    if len(packet) > LARGEST:
        raise ValueError(f"larger than {LARGEST >> 20} MB")
    try:
        # Writers leave room behind it, some of them in zeros.
        root: Element = fromstring(packet.strip(b"\0 \t\r\n"), forbid_dtd=True)
    except ParseError as error:
        raise ValueError(f"no XML: {error}") from None
    except DefusedXmlException:
        raise ValueError("has a document type, which XMP has not") from None
    properties: dict[str, Value] = {}
    for description in root.iter(f"{_RDF}Description"):
        for name, value in _structure(description, 0).items():
            properties.setdefault(name, value)
    return properties


def xmp_fields(properties: dict[str, Value]) -> Fields:
    """What is said in XMP that images are sought by.

    Alt text: IPTC Photo Metadata Standard 2021.1, "Alt Text (Accessibility)".
    """

    def one(*names: str) -> str | None:
        return next(
            (found for name in names if (found := text(_text_of(properties.get(name))))), None
        )

    def all_of(name: str) -> list[str]:
        return texts(_texts_of(properties.get(name)))

    return kept(
        {
            "caption": one(f"{_DC}description"),
            "alt_text": one(f"{_IPTC}AltTextAccessibility"),
            "extended_description": one(f"{_IPTC}ExtDescrAccessibility"),
            "headline": one(f"{_PHOTOSHOP}Headline"),
            "title": one(f"{_DC}title"),
            "keywords": all_of(f"{_DC}subject"),
            "creator": all_of(f"{_DC}creator"),
            "people": all_of(f"{_IPTC_EXT}PersonInImage"),
            "credit": one(f"{_PHOTOSHOP}Credit"),
            "copyright": one(f"{_DC}rights"),
            "location": one(f"{_IPTC}Location"),
            "city": one(f"{_PHOTOSHOP}City"),
            "state": one(f"{_PHOTOSHOP}State"),
            "country": one(f"{_PHOTOSHOP}Country"),
            "taken_at": date(one(f"{_PHOTOSHOP}DateCreated"))
            or date(one(f"{_EXIF}DateTimeOriginal")),
            "camera": camera(one(f"{_TIFF}Make"), one(f"{_TIFF}Model")),
            "lens": one(f"{_EXIF_EX}LensModel", f"{_AUX}Lens"),
            "rating": rating(one(f"{_XMP}Rating")),
            "exposure_seconds": number(one(f"{_EXIF}ExposureTime")),
            "aperture": number(one(f"{_EXIF}FNumber")),
            "iso": number(one(f"{_EXIF}ISOSpeedRatings", f"{_EXIF_EX}PhotographicSensitivity")),
            "focal_length_mm": number(one(f"{_EXIF}FocalLength")),
            "software": one(f"{_XMP}CreatorTool"),
            "latitude": _coordinate(one(f"{_EXIF}GPSLatitude")),
            "longitude": _coordinate(one(f"{_EXIF}GPSLongitude")),
        }
    )


def _coordinate(value: str | None) -> float | None:
    match = None if value is None else _COORDINATE.fullmatch(value)
    return None if match is None else degrees((match[1], match[2], match[3] or 0), match[4])


def _text_of(value: Value | None) -> str | None:
    """The text of a property: of several languages the default, of several values the first."""
    if isinstance(value, dict):
        value = value.get(_ANY_LANGUAGE) or next(iter(value.values()), None)
        return value if isinstance(value, str) else None
    if isinstance(value, list):
        return _text_of(value[0]) if value else None
    return value


def _texts_of(value: Value | None) -> list[str]:
    """The texts of a property that has several, in their order."""
    if not isinstance(value, list):
        one = _text_of(value)
        return [] if one is None else [one]
    return [one for each in value if (one := _text_of(each)) is not None]


def _structure(element: Element, depth: int) -> dict[str, Value]:
    """What a description says, in attributes and in elements."""
    parts: dict[str, Value] = {
        name: value
        for name, value in element.attrib.items()
        if not name.startswith((_RDF, _XML)) and name.startswith("{")
    }
    for child in element:
        parts[child.tag] = _value(child, depth + 1)
    return parts


def _value(element: Element, depth: int) -> Value:
    resource = element.get(f"{_RDF}resource")
    if resource is not None:
        return resource
    inner = next(iter(element), None)
    if inner is None:
        parts = _structure(element, depth)
        return parts or (element.text or "")
    if depth > _DEEPEST:
        return ""
    if inner.tag in (f"{_RDF}Bag", f"{_RDF}Seq"):
        return [_value(each, depth + 1) for each in inner]
    if inner.tag == f"{_RDF}Alt":
        # By language; what is no text of a language is told by its number.
        return {
            each.get(_LANGUAGE, str(number)): _value(each, depth + 1)
            for number, each in enumerate(inner)
        }
    parts = _structure(inner if inner.tag == f"{_RDF}Description" else element, depth)
    # A value with qualifiers stands for itself.
    return parts.get(f"{_RDF}value", parts)
