"""A slip of the keys is told, where somebody wants to know."""

from __future__ import annotations

from typing import Any

from serving.app import App
from tests.build.images import image_bytes
from tests.serving.conftest import ask


def suggestion(app: App, **body: Any) -> str | None:
    response = ask(app, "POST", "/search", json=body)
    assert response.status_code == 200, response.text
    found: str | None = response.json().get("suggestion")
    return found


def test_it_is_told_to_who_asks(app: App) -> None:
    """All captions have the words "blobs" and "number" in them."""
    assert suggestion(app, query="blosb numbre 12", spelling=True) == "blobs number 12"
    assert suggestion(app, query="blobs number 12", spelling=True) is None
    assert suggestion(app, query="blosb numbre 12") is None
    assert suggestion(app, query="blosb", mode="auto", k=200, spelling=True) == "blobs"


def test_beside_an_image_too(app: App) -> None:
    fields = {"query": "blosb", "spelling": "true"}
    response = ask(app, "POST", "/search_by_image", files={"image": image_bytes(5)}, data=fields)
    assert response.json()["suggestion"] == "blobs"


def test_without_a_text_there_is_nothing_to_mend(app: App) -> None:
    assert suggestion(app, sort="path", spelling=True) is None
    assert suggestion(app, queries=[{"text": "blosb"}], spelling=True) is None
