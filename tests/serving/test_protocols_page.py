"""docs/protocols.md: every example in it is run, and every protocol and route is named."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, ListToolsResult

from serving.settings import PROTOCOLS
from tests import clip_client
from tests.build.images import image_bytes
from tests.serving.conftest import Make, listening

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [(language, code) for language, code in BLOCKS if language != "json"]


@pytest.fixture
def port(make: Make) -> Iterator[int]:
    """Where every protocol that the page switches on is spoken."""
    [named] = re.findall(r"SIGHTLINE_PROTOCOLS=(\S+)", PAGE)
    assert set(named.split(",")) == set(PROTOCOLS)
    app = make(protocols=named)
    with listening(app) as port:
        yield port


def test_every_route_is_named(make: Make) -> None:
    own = {route.path for route in make().routes}
    spoken = {route.path for route in make(protocols=",".join(PROTOCOLS)).routes}
    named = set(re.findall(r"`(?:GET|POST) (/\S+)`", PAGE))
    assert named - own == spoken - own


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_works(port: int, tmp_path: Path, number: int) -> None:
    language, code = EXAMPLES[number]
    (tmp_path / "photo.jpg").write_bytes(image_bytes(1, "jpg"))
    (tmp_path / "clip_retrieval").mkdir()
    (tmp_path / "clip_retrieval" / "clip_client.py").write_text(clip_client.source())
    code = code.replace("localhost:3000", f"127.0.0.1:{port}")
    program = {"bash": ["bash", "-ec"], "python": [sys.executable, "-c"]}[language]
    run = subprocess.run(
        [*program, code],
        cwd=tmp_path,
        env=os.environ | {"NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout
    assert "error" not in run.stdout
    if language == "bash":
        json.JSONDecoder().raw_decode(run.stdout)


def test_the_configuration_of_an_mcp_client_works(port: int, tmp_path: Path) -> None:
    [configuration] = [code for language, code in BLOCKS if language == "json"]
    configuration = configuration.replace("localhost:3000", f"127.0.0.1:{port}")
    configuration = configuration.replace("/path/to/sightline", str(ROOT))
    # Whichever Python the tests run in.
    configuration = configuration.replace(f"{ROOT}/.venv/bin/python", sys.executable)
    [server] = json.loads(configuration)["mcpServers"].values()

    async def ask() -> tuple[ListToolsResult, CallToolResult]:
        async with Client(StdioServerParameters(**server, cwd=tmp_path)) as client:
            found = await client.call_tool("search_pictures", {"query": "a red fox"})
            return await client.list_tools(), found

    listed, found = asyncio.run(ask())
    assert not found.is_error
    rows = dict(re.findall(r"^\| `(\w+_images?)` \| (.*?) \|", PAGE, re.MULTILINE))
    assert set(rows) == {tool.name for tool in listed.tools}
    for tool in listed.tools:
        assert set(re.findall(r"`(\w+)`", rows[tool.name])) == set(tool.input_schema["properties"])
    count = {tool.input_schema["properties"].get("k", {}).get("maximum") for tool in listed.tools}
    assert f"at most {max(filter(None, count))})" in rows["search_pictures"]
