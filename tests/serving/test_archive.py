"""Several images in one ZIP: what is in it, what is not, and how much it takes."""

from __future__ import annotations

import asyncio
import io
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message

from serving import zipped
from serving.app import App
from serving.gps import without_gps
from serving.wire.fields import MAX_ARCHIVED
from tests.build.images import image_bytes
from tests.serving.conftest import Make, ask, error_of, search
from tests.tools import require_tool
from tests.unit.test_gps import with_exif


def archive(app: App, *ids: str, **options: Any) -> zipfile.ZipFile:
    response = given(app, *ids, **options)
    assert response.status_code == 200, response.text
    opened = zipfile.ZipFile(io.BytesIO(response.content))
    assert opened.testzip() is None
    return opened


def given(app: App, *ids: str, method: str = "GET", **options: Any) -> httpx.Response:
    return ask(app, method, "/images.zip", params={"ids": ",".join(ids)}, **options)


def found(app: App, k: int = 3) -> list[dict[str, Any]]:
    return search(app, query="a red fox", k=k)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def put(root: Path, image_path: str, content: bytes) -> Path:
    path = root / image_path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_originals_are_in_it_as_they_are_under_their_own_names(app: App) -> None:
    hits = found(app)
    with archive(app, *(hit["id"] for hit in hits)) as opened:
        assert opened.namelist() == [hit["image_path"] for hit in hits]
        for hit in hits:
            original = ask(app, "GET", f"/images/{hit['id']}").content
            assert opened.read(hit["image_path"]) == original
    response = given(app, hits[0]["id"])
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"] == 'attachment; filename="pictures.zip"'
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    head = given(app, hits[0]["id"], method="HEAD")
    assert (head.status_code, head.content) == (200, b"")


def test_another_program_unpacks_it(app: App, tmp_path: Path) -> None:
    program = str(require_tool("unzip", "bsdtar", reason="another program than Python's unpacks"))
    hits = found(app)
    file = tmp_path / "pictures.zip"
    file.write_bytes(given(app, *(hit["id"] for hit in hits)).content)
    options = ["-q"] if program.endswith("unzip") else ["-xf"]
    subprocess.run([program, *options, file], cwd=tmp_path, check=True)
    for hit in hits:
        assert (tmp_path / hit["image_path"]).read_bytes()[:4] == b"\x89PNG"


def test_what_cannot_be_had_is_told(make: Make, root: Path) -> None:
    app = make(images=root)
    here, gone = found(app, 2)
    content = put(root, here["image_path"], image_bytes(1)).read_bytes()
    with archive(app, here["id"], gone["id"], "f" * 16, here["id"]) as opened:
        small = f"{gone['image_path']}.thumbnail.webp"
        about = "_about this archive.txt"
        assert opened.namelist() == [here["image_path"], small, about]
        assert opened.read(here["image_path"]) == content
        assert opened.read(small) == ask(app, "GET", gone["image_url"]).content
        told = opened.read(about).decode()
    assert f"only a thumbnail: {gone['image_path']}" in told
    assert "no image has this id any more: " + "f" * 16 in told


def test_where_they_were_taken_stays_here(make: Make, root: Path) -> None:
    [hit, *_] = found(make())
    original = put(root, hit["image_path"], with_exif("PNG"))
    for with_gps in (False, True):
        app = make(images=root, originals_with_gps=with_gps)
        with archive(app, hit["id"]) as opened:
            content = opened.read(hit["image_path"])
        assert content == (original.read_bytes() if with_gps else without_gps(original))


def test_what_makes_no_sense_is_refused(make: Make, root: Path) -> None:
    app = make(images=root, max_archive_mb=0.001)
    [hit, *_] = found(app)
    put(root, hit["image_path"], image_bytes(1) + bytes(2000))
    many = [f"{number:016x}" for number in range(MAX_ARCHIVED + 1)]
    for ids, status, message in (
        ([], 400, "which images?"),
        ([",", ","], 400, "which images?"),
        (["nosuchid"], 404, "no image has any of these ids"),
        (many, 400, f"at most {MAX_ARCHIVED} images at once, got {MAX_ARCHIVED + 1}"),
        ([hit["id"]], 400, "at most 0.001 MB are sent at once"),
    ):
        response = given(app, *ids)
        assert response.status_code == status
        error = error_of(response)
        assert error["field"] == "ids"
        assert message in error["message"]


def test_a_key_opens_it(make: Make) -> None:
    app = make(api_keys="k")
    key = {"Authorization": "Bearer k"}
    hits = ask(app, "POST", "/search", json={"query": "a fox"}, headers=key).json()["results"]
    assert given(app, hits[0]["id"]).status_code == 401
    archive(app, hits[0]["id"], headers=key).close()


class Caller:
    """Takes an archive as slowly as it likes, without a network between."""

    def __init__(self, app: App, *ids: str) -> None:
        self.app = app
        self.ids = ids
        self.pieces: list[bytes] = []
        self.status = 0
        self.may_go_on = asyncio.Event()
        self.begun = asyncio.Event()
        self.left = False

    async def ask(self) -> None:
        scope = {
            "type": "http", "method": "GET", "path": "/images.zip", "headers": [],
            "query_string": b"ids=" + ",".join(self.ids).encode(), "root_path": "",
        }  # fmt: skip
        await self.app(scope, self.receive, self.send)

    async def receive(self) -> Message:
        if not self.left:
            await asyncio.Future()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.status = self.status or message.get("status", 0)
        self.pieces.append(message.get("body", b""))
        self.begun.set()
        await self.may_go_on.wait()


def test_it_is_read_no_faster_than_it_is_taken(make: Make, root: Path) -> None:
    app = make(images=root)
    hits = found(app)
    for hit in hits:
        put(root, hit["image_path"], image_bytes(1) + bytes(8 << 20))
    sent: list[int] = []

    async def run() -> None:
        caller = Caller(app, *(hit["id"] for hit in hits))
        caller.may_go_on.set()
        await caller.ask()
        sent.extend(map(len, caller.pieces))

    asyncio.run(run())
    assert sum(sent) > 24 << 20
    assert max(sent) < 1 << 20


def test_only_so_many_are_under_way_and_one_that_is_left_ends(make: Make, root: Path) -> None:
    app = make(images=root)
    [hit, *_] = found(app)
    put(root, hit["image_path"], image_bytes(1) + bytes(8 << 20))

    async def run() -> None:
        callers = [Caller(app, hit["id"]) for _ in range(4)]
        tasks = [asyncio.create_task(caller.ask()) for caller in callers]
        for caller in callers:
            await caller.begun.wait()
        late = Caller(app, hit["id"])
        late.may_go_on.set()
        await late.ask()
        assert late.status == 429
        for caller in callers:
            caller.left = True
            caller.may_go_on.set()
        await asyncio.gather(*tasks)
        # Nobody reads on for who has left.
        assert all(sum(map(len, caller.pieces)) < 1 << 20 for caller in callers)
        again = Caller(app, hit["id"])
        again.may_go_on.set()
        await again.ask()
        assert again.status == 200

    asyncio.run(run())


def test_an_original_that_ends_badly_ends_the_archive(
    make: Make, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make(images=root)
    [hit, *_] = found(app)
    put(root, hit["image_path"], image_bytes(1))

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("the disk is gone")

    monkeypatch.setattr(zipped.Images, "_opened", lambda self, item: (Broken(), 100, 0.0))
    with pytest.raises(ConnectionAbortedError):
        asyncio.run(_ask_to_the_end(app, hit["id"]))


async def _ask_to_the_end(app: App, image_id: str) -> None:
    caller = Caller(app, image_id)
    caller.may_go_on.set()
    await caller.ask()
