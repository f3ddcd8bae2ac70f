"""Manifests and captions that no program has written."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build.captions import read_captions
from models.manifest import DamagedError, Manifest
from tests.fuzz.conftest import bounded, tries
from tests.fuzz.edits import edited

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["../x", "/etc/passwd", "index.faiss", "a" * 5000, "\0", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def paths_in(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where values lie in a document."""
    keys = (
        document
        if isinstance(document, dict)
        else range(len(document))
        if isinstance(document, list)
        else ()
    )
    return [
        path,
        *(each for key in list(keys)[:30] for each in paths_in(document[key], (*path, key))),
    ]


@pytest.fixture(scope="module")
def written(tiny_bundle: Path) -> bytes:
    return (tiny_bundle / "manifest.json").read_bytes()


def read(content: bytes) -> None:
    with contextlib.suppress(DamagedError):
        Manifest.parse(content, Path("manifest.json"))


@given(data=st.data())
@tries(400)
def test_a_manifest_is_read_or_refused(data: st.DataObject, written: bytes) -> None:
    content = data.draw(edited([written]))
    with bounded():
        read(content)


@given(data=st.data())
@tries(600)
def test_a_manifest_with_its_checksum_that_says_something_else_is_read_or_refused(
    data: st.DataObject, written: bytes
) -> None:
    document = json.loads(written)
    places = paths_in(document)
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(places[1:]))
        inner = document
        try:
            for key in way:
                inner = inner[key]
            inner[last] = data.draw(JSON)
        except (KeyError, IndexError, TypeError):
            # Something else has taken the place of what was there.
            continue
    with bounded():
        read(with_checksum(document))


def with_checksum(document: dict[str, Any]) -> bytes:
    """As a build would have written it."""
    document = {key: value for key, value in document.items() if key != "seal"}
    body = json.dumps(document, indent=2)[:-2].encode(errors="surrogatepass")
    return body + b',\n  "seal": "' + hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'


CAPTIONS = [
    b'image_path,caption,year\na.jpg,A fox,1999\nb.jpg,"A, b",x\n',
    b"file_name;caption\r\na.jpg;Ein Fuchs\r\n",
    b'{"file_name": "a.jpg", "caption": "A fox", "tags": ["x"]}\n{"file_name": "b.jpg"}\n',
    b'{"caption": "A fox", "year": 1999, "deep": {"er": [1, 2.5, null, true]}}',
    b"\xff\xfeA\0 \0f\0o\0x\0",
    b"\xef\xbb\xbfimage_path\tcaption\na.jpg\tA fox\n",
    b"[" * 5000,
    b'{"caption": ' + b"9" * 5000 + b"}",
    b"image_path,caption\n" + b'a.jpg,"' + b"x" * 200_000,
]
NAMES = ["captions.csv", "metadata.jsonl", "captions.tsv", "a.json", "a.txt", "a.jpg.json"]


@given(content=edited(CAPTIONS), name=st.sampled_from(NAMES))
@tries(800)
def test_captions_are_read_or_warned_of(content: bytes, name: str, tmp_path: Path) -> None:
    for path in tmp_path.iterdir():
        path.unlink()
    (tmp_path / name).write_bytes(content)
    with bounded():
        captions, _ = read_captions(tmp_path, ["a.jpg", "b.jpg"])
    assert set(captions) <= {"a.jpg", "b.jpg"}
    for caption in captions.values():
        # What a bundle keeps, as JSON in UTF-8.
        json.dumps([caption.text, caption.metadata], ensure_ascii=False).encode()
