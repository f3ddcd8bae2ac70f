"""docs/protocols.md: every example in it is run, and every protocol and route is named."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.settings import PROTOCOLS
from tests import clip_client
from tests.build.pictures import picture
from tests.serving.conftest import Make, listening

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "protocols.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


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
    (tmp_path / "photo.jpg").write_bytes(picture(1, "jpg"))
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
