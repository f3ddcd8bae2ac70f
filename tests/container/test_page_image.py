"""The page's image: it is built, boots confined and shows the page."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.container.confinement import complaints
from tests.container.conftest import CONFINED, Container
from tests.container.engine import ROOT, Engine
from tests.service.conftest import free_port

pytestmark = pytest.mark.slow
IMAGE = "sightline-page:tested"


@pytest.fixture(scope="module")
def page(engine: Engine) -> Iterator[Container]:
    built = subprocess.run(
        [
            *(engine.backend, "build", "--file=ui/Dockerfile", f"--tag={IMAGE}"),
            # Its first step is one that the service's image had already.
            *(["--layers"] if engine.backend == "buildah" else []),
            *engine.build_options,
            ".",
        ],
        cwd=ROOT,
        env=engine.variables,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    port = free_port()
    name = engine("run", "--detach", f"--publish=127.0.0.1:{port}:8501", *CONFINED, IMAGE)
    yield Container(engine, name, f"http://127.0.0.1:{port}")
    engine("rm", "--force", name, check=False)


def test_it_shows_the_page_and_is_confined(page: Container) -> None:
    deadline = time.monotonic() + 60
    answer = None
    while answer is None and time.monotonic() < deadline:
        try:
            answer = httpx.get(f"{page.url}/_stcore/health", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.2)
    assert answer is not None
    assert answer.text == "ok"
    assert "streamlit" in httpx.get(page.url, trust_env=False).text.lower()
    # Streamlit brings its own pandas.
    assert complaints(page) == ["the image has pandas"]
    page.engine("stop", "--time=10", page.name)
    assert page.state()["ExitCode"] == 0
