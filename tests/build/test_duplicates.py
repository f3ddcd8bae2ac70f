"""What looks alike in a whole collection, as a list and as a page."""

from __future__ import annotations

import base64
import csv
import io
import re
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from build import duplicates
from build.__main__ import main
from build.bundle_from_images import IndexOptions, build_index
from build.duplicates import find_duplicates
from models.bundle import Bundle
from models.folding import fold
from models.manifest import LOOKS
from tests.build.images import image_bytes
from tests.tiny_package import DIM

DIFFERENT = 12
# Of each image there is one twice as large, and of every third one that is trimmed as well.
ODD_NAME = 'tall <b>&"x".png'


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for seed in range(DIFFERENT):
        own = Image.open(io.BytesIO(image_bytes(seed)))
        own.save(folder / f"{seed:02}-a.png")
        large = own.resize((120, 96), Image.Resampling.BICUBIC)
        large.save(folder / (f"{seed:02}-b.jpg" if seed else ODD_NAME), quality=90)
        if seed % 3 == 0:
            own.crop((1, 1, 58, 47)).save(folder / f"{seed:02}-c.webp", quality=90)
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, images: Path, tiny_package: Path) -> Path:
    output = tmp_path_factory.mktemp("bundles") / "bundle"
    build_index(IndexOptions(output=output, model=tiny_package, images=images, threads=1))
    return output


def expected() -> list[set[str]]:
    return [
        {f"{seed:02}-a.png", f"{seed:02}-b.jpg" if seed else ODD_NAME}
        | ({f"{seed:02}-c.webp"} if seed % 3 == 0 else set())
        for seed in range(DIFFERENT)
    ]


def test_the_list_has_each_group_with_its_largest_first(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["duplicates", str(bundle)]) == 0
    shown = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(shown.out)))
    assert list(rows[0]) == ["group", "path", "id", "cosine", "width", "height"]
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    assert list(groups) == [str(number) for number in range(1, DIFFERENT + 1)]
    found = [{row["path"] for row in group} for group in groups.values()]
    assert sorted(found, key=sorted) == sorted(expected(), key=sorted)
    for head, *others in groups.values():
        assert (head["width"], head["height"], head["cosine"]) == ("120", "96", "1.0000")
        assert all(0.95 <= float(other["cosine"]) < 1 for other in others)
        assert others[0]["width"] == "60"
    opened = Bundle.open(bundle)
    assert {row["id"]: row["path"] for row in rows} == {
        item.id: item.image_path for item in opened.items
    }
    folded = 12 + 4
    assert f"12 groups: {folded} images look like another one of the 28" in shown.err
    assert "looks.bin" not in shown.err


def test_nothing_is_alike_at_one(bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "list.csv"
    assert main(["duplicates", str(bundle), "--fold", "1", "--output", str(output)]) == 0
    assert output.read_text("utf-8") == "group,path,id,cosine,width,height\n"


@pytest.mark.parametrize("least", [0.3, 0.6, 0.9, 0.95])
@pytest.mark.parametrize("with_looks", [True, False])
def test_block_by_block_is_the_same_as_in_one_go(
    bundle: Path, least: float, with_looks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Bundle.open(bundle)
    if not with_looks:
        object.__setattr__(opened, "looks", None)
    order = duplicates._largest_first(opened)
    head_of = fold(duplicates._appearances(opened, order), least)
    whole = {
        tuple(sorted(order[head_of == head].tolist()))
        for head in set(head_of.tolist())
        if (head_of == head).sum() > 1
    }
    monkeypatch.setattr(duplicates, "_BLOCK", 5)
    monkeypatch.setattr(duplicates, "_HEADS", 3)
    found = find_duplicates(opened, least)
    assert {tuple(sorted(group.tolist())) for group in found} == whole
    assert [group[0] for group in found] == sorted(group[0] for group in found)


class Page(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.elements: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_sheet_shows_the_groups(bundle: Path, tmp_path: Path) -> None:
    sheet, output = tmp_path / "sheet.html", tmp_path / "list.csv"
    words = ["duplicates", str(bundle), "--sheet", str(sheet), "--output", str(output)]
    assert main(words) == 0
    page = Page(sheet.read_text("utf-8"))
    assert "Groups of images that look alike: 12." in page.text
    assert page.elements.count("h2") == 12
    assert len(page.images) == 28
    # Neither markup nor anything to be loaded comes from the names.
    assert ODD_NAME in page.text
    assert "b" not in page.elements
    assert "http" not in sheet.read_text("utf-8").replace("http-equiv", "")
    opened = Bundle.open(bundle)
    texts = {item.alt_text for item in opened.items}
    assert {image["alt"] for image in page.images} == texts
    for image in page.images:
        kind, _, data = str(image["src"]).partition(";base64,")
        assert kind == "data:image/webp"
        assert Image.open(io.BytesIO(base64.b64decode(data))).format == "WEBP"


def test_a_long_sheet_is_cut(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("build.duplicates_sheet.MOST_GROUPS", 4)
    monkeypatch.setattr("build.duplicates_sheet.MOST_SHOWN", 2)
    sheet = tmp_path / "sheet.html"
    assert main(["duplicates", str(bundle), "--sheet", str(sheet)]) == 0
    page = Page(sheet.read_text("utf-8"))
    assert "the first 4 of 12" in page.text
    assert len(page.images) == 8
    assert re.search("… and 1 more", page.text)


def test_a_bundle_without_looks_is_told(
    tmp_path: Path, tiny_package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vectors = np.eye(DIM, dtype=np.float32)[[0, 1, 0]]
    np.save(tmp_path / "vectors.npy", vectors)
    (tmp_path / "paths.txt").write_text("a.png\nb.png\nc.png\n", "utf-8")
    options = IndexOptions(
        output=tmp_path / "bundle",
        model=tiny_package,
        embeddings=tmp_path / "vectors.npy",
        paths=tmp_path / "paths.txt",
    )
    build_index(options)
    assert not (tmp_path / "bundle" / LOOKS).exists()
    assert main(["duplicates", str(tmp_path / "bundle"), "--sheet", str(tmp_path / "s")]) == 0
    shown = capsys.readouterr()
    assert "has no looks (looks.bin)" in shown.err
    assert [row["path"] for row in csv.DictReader(io.StringIO(shown.out))] == ["a.png", "c.png"]
    assert "no thumbnail" in (tmp_path / "s").read_text("utf-8")


def test_what_was_embedded_before_there_were_looks_gets_them(
    bundle: Path, images: Path, tiny_package: Path, tmp_path: Path
) -> None:
    options = IndexOptions(output=tmp_path / "b", model=tiny_package, images=images, threads=1)
    build_index(options)
    assert (tmp_path / "b" / LOOKS).read_bytes() == (bundle / LOOKS).read_bytes()
    with closing(sqlite3.connect(tmp_path / ".b.journal.sqlite")) as journal, journal:
        journal.execute("DELETE FROM looks")
    (tmp_path / "b" / "manifest.json").unlink()
    assert build_index(options).reused == len(Bundle.open(bundle).items)
    old, new = Bundle.open(bundle), Bundle.open(tmp_path / "b")
    assert old.looks is not None
    assert new.looks is not None
    everyone = np.arange(len(old.items))
    assert ((old.looks.get(everyone) * new.looks.get(everyone)).sum(axis=1) > 0.995).all()


@pytest.mark.parametrize("written", ["0", "1.5", "-1", "nan", "much"])
def test_what_is_no_cosine_is_refused(
    bundle: Path, written: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["duplicates", str(bundle), f"--fold={written}"])
    assert "is no cosine above 0 and up to 1" in capsys.readouterr().err


def test_a_list_that_cannot_be_written_is_told(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing" / "list.csv"
    assert main(["duplicates", str(bundle), "--output", str(missing)]) == 1
    assert f"{missing} cannot be written: No such file or directory." in capsys.readouterr().err
