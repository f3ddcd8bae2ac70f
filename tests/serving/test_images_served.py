"""Which files are given away, and as what."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from serving import originals
from serving.app import App
from serving.gps import without_gps
from tests.build.images import image_bytes
from tests.serving.conftest import Make, ask, error_of, search
from tests.unit.test_gps import with_exif


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An image root with a neighbour that is nobody's business."""
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    (root / "deep" / "a.png").write_bytes(image_bytes(1))
    (root / "a.jpg").write_bytes(image_bytes(2, "jpg"))
    (tmp_path / "secret.png").write_bytes(image_bytes(3))
    (tmp_path / "root-of-another").mkdir()
    (tmp_path / "root-of-another" / "a.png").write_bytes(image_bytes(4))
    return root


def test_an_image_below_the_root_is_found_by_its_own_type(root: Path) -> None:
    found = originals.find(root, "deep/a.png", with_gps=True)
    assert found is not None
    assert found.media_type == "image/png"
    # Whatever its name says.
    shutil.copy(root / "a.jpg", root / "a.png")
    found = originals.find(root, "a.png", with_gps=True)
    assert found is not None
    assert found.media_type == "image/jpeg"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.png",
        "deep/../../secret.png",
        "deep/../a.jpg",
        "../root-of-another/a.png",
        "/etc/passwd",
        "deep",
        ".",
        "",
        "a\0.jpg",
        "nowhere.png",
        "x" * 5000,
    ],
)
def test_nothing_else_is(root: Path, path: str) -> None:
    assert originals.find(root, path, with_gps=True) is None
    absolute = str(root.parent / "secret.png")
    assert originals.find(root, absolute, with_gps=True) is None


def test_a_link_leads_nowhere_out_of_the_root(root: Path) -> None:
    (root / "out.png").symlink_to(root.parent / "secret.png")
    (root / "folder").symlink_to(root.parent / "root-of-another")
    (root / "within.png").symlink_to(root / "deep" / "a.png")
    (root / "round.png").symlink_to(root / "round.png")
    assert originals.find(root, "out.png", with_gps=True) is None
    assert originals.find(root, "folder/a.png", with_gps=True) is None
    assert originals.find(root, "round.png", with_gps=True) is None
    assert originals.find(root, "within.png", with_gps=True) is not None
    # The root itself may be one.
    other = root.parent / "link-to-root"
    other.symlink_to(root)
    assert originals.find(other, "a.jpg", with_gps=True) is not None


@pytest.mark.parametrize(
    "content",
    [b"<html><script>alert(1)</script>", b"<svg xmlns='x'/>", b"%PDF-1.7", b"", b"GIF8"],
)
def test_what_a_browser_would_run_is_no_image(root: Path, content: bytes) -> None:
    (root / "a.png").write_bytes(content)
    assert originals.find(root, "a.png", with_gps=True) is None


@pytest.mark.parametrize(
    ("beginning", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (b"BM", "image/bmp"),
        (b"RIFF\1\2\3\4WEBPVP8 ", "image/webp"),
        (b"RIFF\1\2\3\4WAVEfmt ", None),
        (b"RIFX\1\2\3\4WEBPVP8 ", None),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "image/avif"),
        (b"\0\0\0\x20ftypavis\0\0\0\0", "image/avif"),
        (b"\0\0\0\x20ftypheic\0\0\0\0", "image/heic"),
        (b"\0\0\0\x20ftypheix\0\0\0\0", "image/heic"),
        (b"\0\0\0\x20ftypmif1\0\0\0\0", "image/heif"),
        (b"\0\0\0\x20ftypmsf1\0\0\0\0", "image/heif"),
        (b"\0\0\0\x20ftypisom\0\0\0\0", None),
        (b"\0\0\0\x20moovavif", None),
        (b"", None),
    ],
)
def test_an_image_is_known_by_how_it_begins(
    root: Path, beginning: bytes, media_type: str | None
) -> None:
    assert originals.image_type(beginning) == media_type
    (root / "a.png").write_bytes(beginning)
    found = originals.find(root, "a.png", with_gps=True)
    assert (found.media_type if found else None) == media_type
    assert found is None or found.path == (root / "a.png").resolve()


def test_originals_and_thumbnails_carry_what_a_browser_has_to_know(
    make: Make, app: App, tmp_path: Path
) -> None:
    [hit, *_] = search(app, query="a red fox")
    for path, kind in [(f"/images/{hit['id']}", "image/png"), (hit["image_url"], "image/webp")]:
        response = ask(app, "GET", path)
        assert response.status_code == 200
        assert response.headers["content-type"] == kind
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"] == "default-src 'none'; sandbox"
        kept = "max-age=31536000, immutable" if kind == "image/webp" else "max-age=3600"
        assert response.headers["cache-control"] == f"public, {kept}"
    by_path = ask(app, "GET", "/image", params={"path": hit["image_path"]})
    assert by_path.content == ask(app, "GET", f"/images/{hit['id']}").content
    # Where the originals are not, the thumbnail is what there is.
    elsewhere = make(images=tmp_path)
    assert ask(elsewhere, "GET", f"/images/{hit['id']}").headers["content-type"] == "image/webp"


def test_where_it_was_taken_leaves_with_those_who_may_only(make: Make, tmp_path: Path) -> None:
    [hit, *_] = search(make(), query="a red fox")
    content = with_exif("PNG")
    original = tmp_path / hit["image_path"]
    original.parent.mkdir(parents=True, exist_ok=True)
    original.write_bytes(content)

    def given(**settings: Any) -> bytes:
        response = ask(make(images=tmp_path, **settings), "GET", f"/images/{hit['id']}")
        assert response.headers["content-type"] == "image/png"
        assert response.headers["content-security-policy"] == "default-src 'none'; sandbox"
        return response.content

    assert given(originals_with_gps=True) == content
    assert given() == without_gps(original)


def test_an_image_that_only_a_key_opens_is_kept_by_nobody_between(make: Make) -> None:
    app = make(api_keys="k")
    key = {"Authorization": "Bearer k"}
    found = ask(app, "POST", "/search", json={"query": "a fox"}, headers=key).json()["results"]
    for path in (found[0]["image_url"], f"/images/{found[0]['id']}"):
        assert ask(app, "GET", path, headers=key).headers["cache-control"].startswith("private, ")


def test_a_thumbnail_is_kept_for_ever_under_the_address_that_a_search_gives(app: App) -> None:
    [hit, *_] = search(app, query="a red fox")
    first = ask(app, "GET", hit["image_url"])
    assert "immutable" in first.headers["cache-control"]
    again = ask(app, "GET", hit["image_url"], headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    for path in (f"/images/{hit['id']}?size=thumbnail", f"/images/{hit['id']}?size=thumbnail&v=0"):
        assert "immutable" not in ask(app, "GET", path).headers["cache-control"]
    assert error_of(ask(app, "GET", "/images/nosuchid"))["field"] == "id"
