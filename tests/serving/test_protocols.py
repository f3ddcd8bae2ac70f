"""What the protocols of others have in common: off or on, keys, limits, errors."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import serving.image_queue
from serving.settings import PROTOCOLS
from tests.build.images import image_bytes
from tests.serving.conftest import Make, ask, client_of

ROOT = Path(__file__).resolve().parents[2]
ALL = ", ".join(PROTOCOLS)
SENT = base64.b64encode(image_bytes(1)).decode()
# An image in each protocol's words, and how each puts what is wrong with a request.
WITH_AN_IMAGE: dict[str, dict[str, Any]] = {
    "/encode": {"images": [SENT]},
    "/v1/embeddings": {"input": [{"image": SENT}]},
    "/vectorize": {"images": [SENT]},
    "/knn-service": {"image": SENT},
}
FIELDS = {
    "/encode": "images.0",
    "/v1/embeddings": "input.0.image",
    "/vectorize": "images.0",
    "/knn-service": "image",
}


def message_of(body: dict[str, Any]) -> str:
    error = body["error"]
    return str(error if isinstance(error, str) else error["message"])


def replaced(body: object, image: str) -> Any:
    """A body with another image in it."""
    if isinstance(body, dict):
        return {name: replaced(value, image) for name, value in body.items()}
    if isinstance(body, list):
        return [replaced(value, image) for value in body]
    return image if body == SENT else body


def test_what_is_off_is_not_there_and_not_imported(make: Make) -> None:
    app = make(protocols="openai")
    assert ask(app, "GET", "/v1/models").status_code == 200
    assert ask(app, "GET", "/meta").status_code == 404
    assert "/meta" not in ask(app, "GET", "/docs.json").json()["paths"]
    program = (
        "import sys; from serving.app import App; from serving.settings import Settings;"
        "App(Settings()); App(Settings(protocols='weaviate'));"
        "print(*sorted(name for name in sys.modules if name.startswith('serving.protocols.')))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.split() == ["serving.protocols.protocol", "serving.protocols.weaviate"]


def test_each_route_is_documented_and_counted(make: Make) -> None:
    app = make(protocols=ALL)
    paths = ask(app, "GET", "/docs.json").json()["paths"]
    here = {route.path for route in app.routes}
    assert (
        {"/v1/embeddings", "/vectorize", "/knn-service"}
        < here
        == set(paths)
        | {
            # Not of this service.
            "/transcribe",
            "/reload",
            "/schema.json",
        }
    )
    assert ask(app, "GET", "/v1/models").status_code == 200
    assert 'endpoint="/v1/models"' in ask(app, "GET", "/metrics").text


def test_a_key_opens_and_probes_need_none(make: Make) -> None:
    app = make(protocols=ALL, api_key="k")
    for path in ("/v1/models", "/meta", "/indices-list"):
        assert ask(app, "GET", path).status_code == 401
        assert ask(app, "GET", path, headers={"Authorization": "Bearer k"}).status_code == 200
    assert ask(app, "GET", "/.well-known/ready").status_code == 204
    document = ask(app, "GET", "/docs.json", headers={"Authorization": "Bearer k"}).json()
    assert document["paths"]["/.well-known/ready"]["get"]["security"] == []
    assert "security" not in document["paths"]["/meta"]["get"]


@pytest.mark.parametrize("path", WITH_AN_IMAGE)
def test_an_image_keeps_to_the_limits_of_an_upload(make: Make, path: str) -> None:
    body = WITH_AN_IMAGE[path]

    def refusal(app: Any, sent: str = SENT) -> tuple[int, str]:
        response = ask(app, "POST", path, json=replaced(body, sent))
        return response.status_code, message_of(response.json())

    app = make(protocols=ALL)
    assert ask(app, "POST", path, json=body).status_code == 200
    with_head = replaced(body, f"data:image/png;base64,{SENT}")
    assert ask(app, "POST", path, json=with_head).json() == ask(app, "POST", path, json=body).json()
    for wrong, why in {
        "eA==": "not an image",
        "x": "it is no base64",
        "https://example.org/fox.jpg": "no address is fetched",
        "file:///etc/passwd": "no address is fetched",
        "data:image/png,x": "no address is fetched",
    }.items():
        status, message = refusal(app, wrong)
        assert status == 400
        assert message.startswith(f"{FIELDS[path]}: ")
        assert why in message
    status, message = refusal(make(protocols=ALL, max_pixels=10))
    assert status == 413
    assert message.startswith(f"{FIELDS[path]}: too large: ")
    status, message = refusal(make(protocols=ALL, max_upload_mb=1e-4))
    assert status == 413
    assert message.startswith(f"{FIELDS[path]}: the image is longer than ")
    assert refusal(make(protocols=ALL, max_upload_mb=1e-4), "A" * (5 << 20))[0] == 413
    status, message = refusal(make(protocols=ALL, timeout=1e-9))
    assert (status, message) == (504, "there was no answer in time: try again")


@pytest.mark.parametrize("path", WITH_AN_IMAGE)
def test_images_wait_in_the_queue_of_uploads(
    make: Make, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make(protocols=ALL, max_image_queue=1)
    decode, go = serving.image_queue.decode, threading.Event()

    def held(*arguments: Any, **options: Any) -> Any:
        assert go.wait(10)
        return decode(*arguments, **options)

    async def crowd() -> list[int]:
        async with client_of(app) as client:
            asked = [
                asyncio.ensure_future(client.post(path, json=WITH_AN_IMAGE[path])) for _ in range(3)
            ]
            done, _ = await asyncio.wait(asked, timeout=5, return_when="FIRST_COMPLETED")
            assert done
            await asyncio.wait(asked[2:], timeout=5)
            go.set()
            answers = await asyncio.gather(*asked)
            assert all(
                answer.headers["retry-after"] == "1"
                for answer in answers
                if answer.status_code == 429
            )
            return [answer.status_code for answer in answers]

    monkeypatch.setattr(serving.image_queue, "decode", held)
    assert asyncio.run(crowd()) == [200, 429, 429]


@pytest.mark.parametrize("path", WITH_AN_IMAGE)
def test_of_large_bodies_there_is_one_at_once(make: Make, path: str) -> None:
    """Sixteen of 27 MB each would be more than a small container has."""
    app = make(protocols=ALL, max_upload_mb=3)
    first, go = asyncio.Event(), asyncio.Event()

    async def slowly() -> Any:
        yield b" " * (7 << 20)
        first.set()
        await go.wait()
        yield b"{}"

    async def crowd() -> list[int]:
        async with client_of(app) as client:
            one = asyncio.ensure_future(client.post(path, content=slowly()))
            await asyncio.wait_for(first.wait(), 10)
            other = await client.post(path, content=b" " * (6 << 20))
            small = await client.post(path, json=WITH_AN_IMAGE[path])
            go.set()
            statuses = [(await one).status_code, other.status_code, small.status_code]
            after = await client.post(path, content=b" " * (7 << 20) + b"{")
            return [*statuses, after.status_code]

    # An empty question of Weaviate's has an empty answer.
    statuses = asyncio.run(crowd())
    assert statuses[1:] == [429, 200, 400]
    assert statuses[0] == (200 if path == "/vectorize" else 400)
