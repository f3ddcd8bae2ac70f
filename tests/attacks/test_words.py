"""Texts that would be something else to whoever takes them for more than texts."""

from __future__ import annotations

import csv
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from build.bundle_from_images import IndexOptions, build_index
from models.bundle import Bundle
from serving.app import App
from tests.build.images import image_bytes
from tests.serving.conftest import Make, ask, search
from tests.tiny_package import write_tiny_package

SCRIPT = "<script>alert(1)</script>"
QUERIES = [
    "fox' OR '1'='1",
    "'; DROP TABLE items; --",
    '" UNION SELECT sql FROM sqlite_master --',
    SCRIPT,
    "{{7*7}} ${7*7} %7B%7D",
    "fox\r\nX-Own: 1",
    "../../etc/passwd",
    "fox\0bear",
]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """One whose images have names, captions and metadata of hostile making."""
    images = tmp_path / "images"
    images.mkdir()
    package = tmp_path / "package"
    write_tiny_package(package, pretrained="random")
    name = "\"onerror='alert(1)' <img src=x>.png"
    (images / name).write_bytes(image_bytes(1))
    (images / "$(touch pwned);'.png").write_bytes(image_bytes(2))
    with (images / "captions.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["image_path", "caption", "=cmd|' /C calc'!A0", "'); DROP TABLE facts; --"])
        rows.writerow([name, SCRIPT, SCRIPT, "x"])
    build_index(IndexOptions(output=tmp_path / "bundle", model=package, images=images, threads=1))
    return tmp_path / "bundle"


@pytest.mark.parametrize("text", QUERIES)
def test_a_query_is_a_text(app: App, text: str) -> None:
    whole = search(app, query="a fox", k=100)
    response = ask(app, "POST", "/search", json={"query": text, "k": 100})
    assert response.status_code in (200, 400)
    assert "x-own" not in response.headers
    assert search(app, query="a fox", k=100) == whole


@pytest.mark.parametrize("text", QUERIES)
def test_a_filter_is_texts(app: App, text: str) -> None:
    for asked in ({text: "even"}, {"kind": text}, {"kind": {"prefix": text}}, {text: {"gt": text}}):
        response = ask(app, "POST", "/search", json={"query": "a fox", "filter": asked})
        assert response.status_code in (200, 400)
        assert response.json().get("results", []) == []
    assert len(search(app, query="a fox", k=10, filter={"kind": "even"})) == 10


@pytest.mark.parametrize("text", QUERIES)
def test_an_id_and_a_path_are_texts(app: App, text: str) -> None:
    for path, asked in (
        ("/images/x", {}),
        ("/image", {"path": text}),
        (f"/images/{quote(text)}", {}),
        (f"/images/{quote(text)}/facts", {}),
    ):
        response = ask(app, "GET", path, params=asked)
        assert response.status_code in (400, 404)
        assert response.headers["content-type"] == "application/json"


def test_names_captions_and_metadata_are_data(bundle: Path, make: Make) -> None:
    with closing(Bundle.open(bundle)) as opened:
        app = make(opened)
        response = ask(app, "POST", "/search", json={"query": "a fox", "k": 5})
        page = ask(app, "GET", "/").text
    assert response.headers["content-type"] == "application/json"
    hostile = next(hit for hit in response.json()["results"] if hit["caption"])
    assert hostile["caption"] == hostile["alt_text"] == SCRIPT
    assert hostile["image_path"].startswith('"onerror')
    # Nothing of it is in an address.
    assert set(hostile["image_url"]) <= set("/?=&0123456789abcdefghijklmnopqrstuvwxyz")
    assert "<script" not in page
    assert not Path("pwned").exists()
