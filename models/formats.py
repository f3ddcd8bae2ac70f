"""Which files are images: one list for whoever looks for them, reads them, or tells of them.

What a file is says its content, but a tree is searched by suffixes, since to open a hundred
thousand files that are none takes longer than anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec


def _named(names: str) -> frozenset[str]:
    return frozenset(f".{name}" for name in names.split())


# By Pillow itself.  Left out of what it knows: EPS and PostScript, which it has Ghostscript run;
# video and scientific data, of which it knows no more than the name.
_BY_PILLOW = _named(
    # What there is most of.
    "jpg jpeg jpe jfif png apng webp gif bmp dib tif tiff avif avifs mpo "
    # What archives, editors, games and old machines have left.
    "jp2 j2k j2c jpc jpf jpx psd tga icb vda vst ico cur icns pcx dcx ppm pgm pbm pnm pfm sgi rgb "
    "rgba bw dds qoi xbm xpm ras msp fli flc"
)
# What people take for images or films, and nothing here reads.
_UNREAD = _named(
    "svg svgz eps ps ai pdf xcf kra psb indd cdr exr hdr wmf emf djvu jxr bpg "
    "mp4 m4v mov avi mkv webm mpg mpeg wmv 3gp mts m2ts flv ogv"
)


@dataclass(frozen=True, slots=True)
class PlugIn:
    """A package that reads more formats: what to import, its extra, and their suffixes."""

    module: str
    extra: str
    suffixes: frozenset[str]


HEIF = PlugIn("pi_heif", "formats", _named("heic heif heics heifs hif"))
JPEG_XL = PlugIn("pillow_jxl", "formats", _named("jxl"))
RAW = PlugIn(
    "rawpy",
    "formats",
    _named(
        "dng cr2 cr3 crw nef nrw arw srf sr2 raf orf rw2 pef raw rwl 3fr iiq kdc dcr mrw mef mos "
        "erf x3f srw"
    ),
)
_PLUG_INS = (HEIF, JPEG_XL, RAW)


@cache
def suffixes() -> frozenset[str]:
    """The suffixes of what can be read here, in lower case with their dots."""
    return _BY_PILLOW.union(*(each.suffixes for each in _PLUG_INS if is_installed(each)))


def is_unread(suffix: str) -> bool:
    """Whether files of a suffix, in lower case, look like images and are not read here."""
    return suffix not in suffixes() and (suffix in _UNREAD or extra_for(suffix) is not None)


def extra_for(suffix: str) -> str | None:
    """The extra that reads files of a suffix, in lower case; None where there is none."""
    return next((each.extra for each in _PLUG_INS if suffix in each.suffixes), None)


def is_installed(plug_in: PlugIn) -> bool:
    """Whether a plug-in can be imported here."""
    return find_spec(plug_in.module) is not None
