"""The MCP server's tools by the SDK's own client: what they take, and what they say of trouble."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from mcp import Client
from mcp.types import CallToolResult

from tests.ui.fake import FakeService, result
from ui.client import Addresses
from ui.mcp import create_server, reach


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeService]:
    with FakeService() as service:
        yield service


def call(url: str, tool: str, **arguments: Any) -> CallToolResult:
    async def one() -> CallToolResult:
        async with Client(create_server(service)) as client:
            return await client.call_tool(tool, arguments)

    with contextlib.closing(reach(Addresses(url))) as service:
        return asyncio.run(one())


def text_of(answer: CallToolResult) -> str:
    return "\n".join(one.text for one in answer.content if one.type == "text")


def test_a_search_asks_what_it_was_told(fake: FakeService) -> None:
    fake.answer(200, {"results": [result(1, 0.3, matched=["fox"])], "warnings": ["no field 'x'"]})
    condition = {"year": {"gte": 1990}}
    asked = {"query": "a fox", "k": 3, "filter": condition, "negative": "a dog"}
    found = call(fake.url, "search_pictures", **asked)
    assert fake.asked[-1] == asked | {"mode": "auto", "spelling": True}
    warning, image, thumbnail = found.content
    assert warning.type == image.type == "text"
    assert warning.text == "no field 'x'"
    # All that the service says but the address, which is none that a client could load.
    said = result(1, 0.3, matched=["fox"])
    del said["image_url"]
    assert json.loads(image.text) == said
    assert thumbnail.type == "image"
    assert thumbnail.mime_type == "image/webp"
    # Clients drop images where there is a structured form as well.
    assert found.structured_content is None


def test_where_nothing_is_said_the_service_is_told_nothing(fake: FakeService) -> None:
    fake.answer(200, {"results": []})
    found = call(fake.url, "search_pictures", query="a fox", filter=None, negative=None)
    assert fake.asked[-1] == {"query": "a fox", "k": 8, "mode": "auto", "spelling": True}
    assert text_of(found).startswith("No image was found.")


def test_it_is_told_what_may_have_been_meant(fake: FakeService) -> None:
    fake.answer(200, {"results": [result(1, 0.3)], "suggestion": "a penguin"})
    found = call(fake.url, "search_pictures", query="a pengiun")
    assert "Perhaps this was meant: a penguin" in text_of(found)


def test_what_is_similar_is_not_the_image_itself(fake: FakeService) -> None:
    fake.answer(200, {"results": [result(number, 1 - number / 10) for number in range(4)]})
    found = call(fake.url, "similar_pictures", id=result(0, 1)["id"], k=2)
    assert fake.asked[-1] == {"like": result(0, 1)["id"], "k": 3}
    paths = [json.loads(one.text)["image_path"] for one in found.content if one.type == "text"]
    assert paths == ["images/1.png", "images/2.png"]


@pytest.mark.parametrize(
    ("tool", "arguments", "field"),
    [
        ("search_pictures", {"query": ""}, "query"),
        ("search_pictures", {"query": "x" * 1001}, "query"),
        ("search_pictures", {"query": "a fox", "k": 0}, "k"),
        ("search_pictures", {"query": "a fox", "k": 21}, "k"),
        ("search_pictures", {"query": "a fox", "filter": "licence"}, "filter"),
        ("similar_pictures", {"id": ""}, "id"),
        ("describe_picture", {}, "id"),
    ],
)
def test_what_makes_no_sense_is_not_asked(
    fake: FakeService, tool: str, arguments: dict[str, Any], field: str
) -> None:
    asked = len(fake.asked)
    refused = call(fake.url, tool, **arguments)
    assert refused.is_error
    assert f"\n{field}\n" in text_of(refused)
    assert len(fake.asked) == asked


@pytest.mark.parametrize(
    ("status", "headers", "advice"),
    [
        (400, {}, "The service refuses this: query: too odd."),
        (401, {}, "asks for a key. Set this MCP server's SIGHTLINE_API_KEY"),
        (429, {"Retry-After": "7"}, "The service is busy. Try again in 7 s."),
        (429, {}, "Try again in 1 s."),
        (500, {}, "failed (query: too odd). Try again"),
        (503, {}, "does not answer (query: too odd). If it is starting, try again"),
    ],
)
def test_trouble_comes_with_what_to_do(
    fake: FakeService, status: int, headers: dict[str, str], advice: str
) -> None:
    fake.answer(status, {"error": {"field": "query", "message": "query: too odd"}}, headers)
    refused = call(fake.url, "search_pictures", query="a fox")
    assert refused.is_error
    assert advice in text_of(refused)


def test_a_slow_service_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.client._TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        refused = call(url, "search_pictures", query="a fox")
    assert refused.is_error
    assert f"The service at {url} took too long." in text_of(refused)
