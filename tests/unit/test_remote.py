"""Bundles fetched by their address from a real server on this machine."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import shutil
import stat
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from models.manifest import MANIFEST, DamagedError, record_files
from serving.remote import fetch
from tests.documents import manifest
from tests.tools import require_module


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder as a web server or a bucket of S3 does, and counts."""

    asked: list[str]
    cut: str | None
    endless: str | None

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.endswith(self.endless or "\0"):
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                while True:
                    self.wfile.write(bytes(1 << 16))
            self.close_connection = True
            return
        if asked := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            content = Path(self.translate_path(self.path)).read_bytes()
            start, end = int(asked[1]), min(int(asked[2]) + 1, len(content))
            self.send_response(206)
            self.send_header("Content-Length", str(end - start))
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
            self.send_header("Last-Modified", "Thu, 26 Nov 2026 12:00:00 GMT")
            self.end_headers()
            self.wfile.write(content[start:end])
            return
        if self.path.endswith(self.cut or "\0"):
            content = Path(self.translate_path(self.path)).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        super().do_GET()

    def end_headers(self) -> None:
        # An object of a bucket always has one.
        self.send_header("ETag", '"1"')
        super().end_headers()

    def log_message(self, format: str, *arguments: object) -> None: ...


class Site:
    """The folder ``bucket/photos`` under an address."""

    def __init__(self, root: Path) -> None:
        self.bundle = root / "bucket" / "photos"
        self.bundle.mkdir(parents=True)
        self.handler = type("Here", (Handler,), {"asked": [], "cut": None, "endless": None})
        serve = functools.partial(self.handler, directory=str(root))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), serve)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.address = f"{self.url}/bucket/photos"

    @property
    def asked(self) -> list[str]:
        asked: list[str] = self.handler.asked  # type: ignore[attr-defined]
        return asked

    def write(self, **contents: str) -> None:
        """A bundle as far as its manifest and hashes go."""
        names = [name.replace("_", ".") for name in contents]
        for name, content in zip(names, contents.values(), strict=True):
            (self.bundle / name).write_text(content)
        manifest(record_files(self.bundle, names)).write(self.bundle)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "site")
    site.write(index_faiss="vectors", items_sqlite="images")
    thread = threading.Thread(target=site.server.serve_forever, daemon=True)
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()


def test_a_bundle_is_fetched_whole(site: Site, tmp_path: Path) -> None:
    folder = fetch(site.address, tmp_path / "cache")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in site.bundle.iterdir()
    }
    assert list((tmp_path / "cache").iterdir()) == [folder]


def test_what_is_there_already_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    first = fetch(site.address, tmp_path / "cache")
    site.asked.clear()
    assert fetch(site.address + "/", tmp_path / "cache") == first
    assert [path for path in site.asked if MANIFEST not in path] == []


def test_a_newer_bundle_is_another(site: Site, tmp_path: Path) -> None:
    first = fetch(site.address, tmp_path / "cache")
    site.write(index_faiss="more vectors", items_sqlite="images")
    second = fetch(site.address, tmp_path / "cache")
    assert first != second
    assert (first / "index.faiss").read_text() == "vectors"
    assert (second / "index.faiss").read_text() == "more vectors"


def test_one_that_was_damaged_in_the_cache_is_fetched_again(site: Site, tmp_path: Path) -> None:
    folder = fetch(site.address, tmp_path / "cache")
    (folder / "index.faiss").write_text("VECTORS")
    assert fetch(site.address, tmp_path / "cache") == folder
    assert (folder / "index.faiss").read_text() == "vectors"


def test_an_altered_file_is_refused_and_nothing_kept(site: Site, tmp_path: Path) -> None:
    (site.bundle / "index.faiss").write_text("VECTORS")
    with pytest.raises(DamagedError, match=r"photos/index.faiss is damaged.*Build it again"):
        fetch(site.address, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_half_a_download_is_refused_and_nothing_kept(site: Site, tmp_path: Path) -> None:
    site.handler.cut = "index.faiss"  # type: ignore[attr-defined]
    with pytest.raises(DamagedError, match=r"photos/index.faiss"):
        fetch(site.address, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("name", ["index.faiss", "manifest.json"])
def test_a_download_without_end_is_ended(
    name: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.remote._LONGEST_MANIFEST", 1 << 20)
    site.handler.endless = name  # type: ignore[attr-defined]
    with pytest.raises(DamagedError, match=rf"photos/{name} is longer than \d+ bytes"):
        fetch(site.address, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_bundle_is_told_by_its_address(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match=r"bucket/other/manifest.json cannot be fetched.*Check"):
        fetch(f"{site.url}/bucket/other", tmp_path / "cache")


def test_a_file_outside_the_bundle_is_not_written(site: Site, tmp_path: Path) -> None:
    record = next(iter(record_files(site.bundle, ["index.faiss"]).values()))
    manifest().model_copy(update={"files": {"../../out": record}}).write(site.bundle)
    with pytest.raises(DamagedError, match="no file of the bundle's own"):
        fetch(site.address, tmp_path / "cache")


def test_each_refusal_says_what_to_do(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(address: str) -> str:
        with pytest.raises(DamagedError) as refused:
            fetch(address, tmp_path / "cache")
        return str(refused.value)

    (site.bundle / "index.faiss").write_text("VECTORS")
    assert said(site.address).startswith(f"{site.address}/index.faiss is damaged: its SHA-256 is ")
    assert said(site.address).endswith(f" Build it again. Nothing of {site.address} is served.")
    (site.bundle / "index.faiss").unlink()
    missing = said(site.address + "/")
    assert missing.startswith(
        f"{site.address}/index.faiss cannot be fetched: FileNotFoundError: {site.address}"
    )
    assert (
        "Check the address, the credentials and the network; the bundle's folder must hold every "
        "file that its manifest.json names." in missing
    )
    assert said("gopher://x/y") == (
        "gopher://x/y is no address of a bundle (Protocol not known: gopher): https://…, s3://… "
        "or gs://… is one."
    )

    def lacking(*arguments: object) -> None:
        raise ImportError("no obstore")

    monkeypatch.setattr("obstore.fsspec.register", lacking)
    assert said("gs://x/y") == (
        "gs://x/y cannot be fetched: no obstore. Install what it takes (pip install "
        "-r requirements/remote.txt), or build the image with `python -m build bento --remote`."
    )


def test_a_download_may_take_as_long_as_it_goes_on() -> None:
    from serving import remote

    patience = remote._PATIENCE
    assert (patience.total, patience.sock_connect, patience.sock_read) == (None, 10, 30)
    filesystem, root = remote._open("https://example.org/photos")
    assert filesystem.client_kwargs == {"timeout": patience}
    assert root == "https://example.org/photos"


def test_what_was_fetched_is_told_and_only_its_owner_s(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sightline")
    site.write(index_faiss="x" * 2_300_000)
    fetch(site.address, tmp_path / "deep" / "cache")
    told = re.escape(f"fetched {site.address}: 2.3 MB in ") + r"\d+\.\d s"
    assert re.fullmatch(told, caplog.messages[-1])
    assert stat.S_IMODE((tmp_path / "deep" / "cache").stat().st_mode) == 0o700


def test_whoever_was_quicker_with_the_same_bundle_is_believed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def beaten(self: Path, target: Path) -> Path:
        shutil.copytree(self, target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", beaten)
    folder = fetch(site.address, tmp_path / "cache")
    assert (folder / "index.faiss").read_text() == "vectors"
    assert list((tmp_path / "cache").iterdir()) == [folder]
    shutil.rmtree(folder)

    def broken(self: Path, target: Path) -> Path:
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(OSError, match="the disk is full"):
        fetch(site.address, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_unknown_kind_of_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="is no address of a bundle"):
        fetch("gopher://example.org/photos", tmp_path / "cache")


def test_a_bucket_is_read_as_well(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_module("obstore", "buckets are read")
    for name, value in {
        "AWS_ENDPOINT_URL": site.url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-north-1",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    folder = fetch("s3://bucket/photos", tmp_path / "cache")
    assert (folder / "index.faiss").read_text() == "vectors"
    shutil.rmtree(site.bundle)
    with pytest.raises(DamagedError, match=r"s3://bucket/photos/manifest.json cannot be fetched"):
        fetch("s3://bucket/photos", tmp_path / "other")
