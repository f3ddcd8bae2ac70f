"""The recipe's own parts: reading resources and credits, scaling images."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from build.demo_gallery.credits import Credit, gcompris_credit, openclipart_credit
from build.demo_gallery.qt_resources import read_resources
from build.demo_gallery.rendering import LONGEST_SIDE, render
from build.errors import BuildError


def resource_file(plain: bytes, packed: bytes) -> bytes:
    """A version 1 resource file: /folder/plain.txt and /folder/packed.txt."""
    names, offsets = b"", []
    for name in ("folder", "plain.txt", "packed.txt"):
        offsets.append(len(names))
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    squeezed = struct.pack(">I", len(packed)) + zlib.compress(packed)
    data = struct.pack(">I", len(plain)) + plain
    second = len(data)
    data += struct.pack(">I", len(squeezed)) + squeezed
    tree = struct.pack(">IHII", 0, 2, 1, 1)  # the root: one child, at 1
    tree += struct.pack(">IHII", offsets[0], 2, 2, 2)  # folder: two children, from 2
    tree += struct.pack(">IHHHI", offsets[1], 0, 0, 0, 0)
    tree += struct.pack(">IHHHI", offsets[2], 1, 0, 0, second)
    at_data = 20 + len(tree)
    header = b"qres" + struct.pack(">4I", 1, 20, at_data, at_data + len(data))
    return header + tree + data + names


def test_reads_plain_and_compressed_resources(tmp_path: Path) -> None:
    path = tmp_path / "a.rcc"
    path.write_bytes(resource_file(b"plain words", b"packed " * 50))
    assert list(read_resources(path)) == [
        ("folder/plain.txt", b"plain words"),
        ("folder/packed.txt", b"packed " * 50),
    ]


def test_refuses_what_is_no_resource_file(tmp_path: Path) -> None:
    path = tmp_path / "a.rcc"
    path.write_bytes(b"\x89PNG")
    with pytest.raises(ValueError, match="no Qt resource file"):
        list(read_resources(path))


SVG = """<svg xmlns="http://www.w3.org/2000/svg"><metadata>
<rdf:RDF xmlns="http://web.resource.org/cc/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><Work rdf:about="">
<dc:title>red fox</dc:title>
<dc:creator><Agent><dc:title>Ann (ann@example.org)</dc:title></Agent></dc:creator>
<license rdf:resource="http://web.resource.org/cc/{licence}"/></Work></rdf:RDF></metadata></svg>"""


def test_openclipart_credit_leaves_mail_addresses_out(tmp_path: Path) -> None:
    path = tmp_path / "fox.svg"
    path.write_text(SVG.format(licence="PublicDomain"))
    assert openclipart_credit(path) == Credit("Red fox", "Ann", "public domain")


def test_openclipart_drawing_without_dedication_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fox.svg"
    path.write_text(SVG.format(licence="GPL"))
    with pytest.raises(BuildError, match="public domain dedication"):
        openclipart_credit(path)


README = """Copyright: Ann
Source: https://commons.wikimedia.org/wiki/File:Red_fox_%28tail%29.jpg
License: CC0-1.0
Files: fox.webp

Copyright: Bob
License: CC-BY-SA 4.0
Files:
far/wolf.webp

Copyright: Cid
License: Public domain
owl.webp
"""


def test_gcompris_credit_is_that_of_the_readme(tmp_path: Path) -> None:
    (tmp_path / "README").write_text(README)
    origin = "https://commons.wikimedia.org/wiki/File:Red_fox_%28tail%29.jpg"
    assert gcompris_credit(tmp_path / "fox.webp") == Credit(
        "Red fox (tail)", "Ann", "CC0-1.0", origin
    )
    assert gcompris_credit(tmp_path / "owl.webp") == Credit("owl", "Cid", "public domain")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("far/wolf.webp", "no licence that the gallery takes"), ("cat.webp", "does not name it")],
)
def test_gcompris_image_without_a_good_licence_is_refused(
    tmp_path: Path, name: str, complaint: str
) -> None:
    (tmp_path / "README").write_text(README)
    with pytest.raises(BuildError, match=complaint):
        gcompris_credit(tmp_path / name)


def test_photographs_become_small_jpegs() -> None:
    suffix, content = render(Image.effect_noise((1200, 600), 50).convert("RGB"), drawn=False)
    assert suffix == ".jpg"
    assert Image.open(io.BytesIO(content)).size == (LONGEST_SIDE, LONGEST_SIDE // 2)


def test_drawings_lose_their_border_and_keep_their_transparency() -> None:
    drawing = Image.new("RGBA", (1000, 1000))
    drawing.paste((200, 30, 30, 255), (100, 400, 300, 500))
    drawing.putpixel((150, 450), (0, 0, 0, 0))
    suffix, content = render(drawing, drawn=True)
    with Image.open(io.BytesIO(content)) as small:
        assert suffix == ".png"
        assert small.size == (216, 116)  # 8 pixels left on each side
        assert small.mode == "RGBA"
        assert small.getpixel((0, 0)) == (0, 0, 0, 0)
