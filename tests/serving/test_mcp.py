"""The MCP server as a client starts it or finds it, over a service that answers with a key."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult
from PIL import Image

from serving.app import App
from tests.service.conftest import free_port, stop
from tests.serving.conftest import Make, ask, listening

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
KEY = "k"
TOOLS = {"search_pictures", "describe_picture", "similar_pictures"}

# What the SDK's client takes: a command that it starts, or an address.
Server = StdioServerParameters | str


@pytest.fixture
def app(make: Make) -> App:
    return make(api_key=KEY)


@contextlib.contextmanager
def over_stdio(service: str) -> Iterator[Server]:
    variables = {"SIGHTLINE_SERVICE_URL": service, "SIGHTLINE_API_KEY": KEY}
    yield StdioServerParameters(
        command=sys.executable,
        args=["-m", "sightline", "mcp"],
        cwd=ROOT,
        env=dict(os.environ) | variables,
    )


@contextlib.contextmanager
def over_http(service: str) -> Iterator[Server]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "sightline", "mcp", "--http", "--port", str(port)],
        cwd=ROOT,
        env=os.environ | {"SIGHTLINE_SERVICE_URL": service, "SIGHTLINE_API_KEY": KEY},
    )
    address = f"http://127.0.0.1:{port}/mcp"
    try:
        deadline = time.monotonic() + 30
        while not answers(address):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield address
    finally:
        stop(process)


def answers(address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(address, trust_env=False).status_code < 500
    return False


def with_client(server: Server, work: Callable[[Client], Awaitable[T]]) -> T:
    async def run() -> T:
        async with Client(server) as client:
            return await work(client)

    return asyncio.run(run())


def shown(answer: CallToolResult) -> list[dict[str, Any]]:
    """What is said of each image, each of which has to have a thumbnail that decodes."""
    assert not answer.is_error, answer.content
    pairs = list(zip(answer.content[::2], answer.content[1::2], strict=True))
    found = []
    for text, thumbnail in pairs:
        assert text.type == "text"
        assert thumbnail.type == "image"
        assert thumbnail.mime_type == "image/webp"
        with Image.open(io.BytesIO(base64.b64decode(thumbnail.data))) as image:
            image.load()
            assert image.format == "WEBP"
        found.append(json.loads(text.text))
    return found


def of_the_service(app: App, method: str, path: str, **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {KEY}"}
    return ask(app, method, path, headers=headers, json=body or None).json()


def without_address(said: dict[str, Any]) -> dict[str, Any]:
    return {name: said[name] for name in said if name not in ("image_url", "thumbhash")}


@pytest.mark.parametrize("transport", [over_stdio, over_http])
def test_images_are_found_described_and_followed(
    app: App, transport: Callable[[str], contextlib.AbstractContextManager[Server]]
) -> None:
    asked = {"query": "a fox", "filter": {"kind": "odd"}, "negative": "a dog"}

    async def journey(client: Client) -> tuple[set[str], list[CallToolResult]]:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        found = await client.call_tool("search_pictures", asked)
        image = {"id": shown(found)[1]["id"]}
        similar = await client.call_tool("similar_pictures", image | {"k": 4})
        described = await client.call_tool("describe_picture", image)
        unknown = await client.call_tool("describe_picture", {"id": "nosuchid"})
        assert unknown.is_error
        assert "id: no image has the id 'nosuchid'" in str(unknown.content)
        return tools, [found, similar, described]

    with listening(app) as port, transport(f"http://127.0.0.1:{port}") as server:
        tools, answers = with_client(server, journey)
    assert tools == TOOLS
    found, similar, [described] = map(shown, answers)
    # By words as well as by looks, as on the page.
    expected = of_the_service(app, "POST", "/search", **asked, k=8, mode="auto")["results"]
    assert found == list(map(without_address, expected))
    assert [image["metadata"]["kind"] for image in found] == ["odd"] * 8
    near = of_the_service(app, "POST", "/search", like=described["id"], k=5)["results"]
    others = [image for image in near if image["id"] != described["id"]]
    assert similar == list(map(without_address, others[:4]))
    facts = of_the_service(app, "GET", f"/images/{described['id']}/facts")
    assert described == without_address(facts)
    assert described.items() <= found[1].items()


def test_a_service_that_is_down_is_told_with_its_address() -> None:
    service = f"http://127.0.0.1:{free_port()}"

    with over_stdio(service) as server:
        refused = with_client(
            server, lambda client: client.call_tool("search_pictures", {"query": "a fox"})
        )
    assert refused.is_error
    assert f"The service at {service} does not answer" in str(refused.content)
    assert "SIGHTLINE_SERVICE_URL" in str(refused.content)


def test_ctrl_c_ends_it_whatever_it_waits_for() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sightline", "mcp"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=20) == -signal.SIGINT
        finally:
            process.kill()
