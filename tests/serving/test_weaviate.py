"""What Weaviate's module asks, and what the smoke test of its own container does."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from models.bundle import Bundle
from serving.app import App
from serving.settings import Settings
from tests.build.images import image_bytes
from tests.serving.conftest import Make, ask

IMAGES = [base64.b64encode(image_bytes(seed)).decode() for seed in (1, 2)]
TEXTS = ["This is plane", "Boeing 737", "Blue plane"]


@pytest.fixture
def app(make: Make) -> App:
    return make(protocols="weaviate")


def vectorize(app: App, **body: Any) -> Any:
    response = ask(app, "POST", "/vectorize", json=body)
    assert response.status_code == 200, response.text
    assert set(response.json()) == {"textVectors", "imageVectors"}
    return response.json()


def test_it_is_live_and_ready_without_a_word(app: App) -> None:
    for path in ("/.well-known/live", "/.well-known/ready"):
        response = ask(app, "GET", path)
        assert (response.status_code, response.content) == (204, b"")
    started = App(Settings(protocols="weaviate"))
    assert ask(started, "GET", "/.well-known/live").status_code == 204
    response = ask(started, "GET", "/.well-known/ready")
    assert (response.status_code, response.json()) == (503, {"error": "the service is starting"})


def test_meta_tells_of_the_model(app: App, opened: Bundle) -> None:
    meta = ask(app, "GET", "/meta").json()
    assert meta["model"]["name"] == opened.manifest.model.name
    assert "image_root" not in meta


def test_texts_and_images_have_the_vectors_that_encode_gives(app: App) -> None:
    expected = ask(app, "POST", "/encode", json={"texts": TEXTS, "images": IMAGES}).json()
    both = vectorize(app, texts=TEXTS, images=IMAGES)
    assert both["textVectors"] + both["imageVectors"] == expected["embeddings"]
    assert len(both["textVectors"]) == 3
    # As Go writes a list that there is not.
    assert vectorize(app, texts=TEXTS, images=None)["imageVectors"] == []
    assert vectorize(app, images=IMAGES) == both | {"textVectors": []}


def test_an_object_s_text_may_be_empty_or_long(app: App) -> None:
    late = " " * 1000 + "a red fox"
    empty, unread, read = vectorize(app, texts=["", late, late[1:]])["textVectors"]
    assert np.linalg.norm(empty) == pytest.approx(1, abs=1e-4)
    assert empty == unread != read


def test_an_error_is_a_text(app: App) -> None:
    response = ask(app, "POST", "/vectorize", json={"texts": [1]})
    assert response.status_code == 400
    assert response.json()["error"].startswith("texts.0: ")
