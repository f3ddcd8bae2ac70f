"""The image, built as its users build it, and containers of it."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.container.engine import ROOT, Engine, find_engine, remove_store
from tests.service.conftest import free_port

IMAGE = "sightline:tested"
# As the manifests in deploy/ have it.
CONFINED = (
    "--read-only",
    "--tmpfs=/tmp:rw,size=64m",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--memory=512m",
    "--memory-swap=512m",
    "--pids-limit=128",
)


@dataclass(frozen=True)
class Container:
    """A running container of the service."""

    engine: Engine
    name: str
    url: str

    def python(self, program: str) -> Any:
        """What a program prints as JSON that runs inside, as the service's user."""
        return json.loads(self.engine("exec", self.name, "python", "-c", program))

    def state(self) -> dict[str, Any]:
        """What the engine knows of it."""
        state: dict[str, Any] = json.loads(self.engine("inspect", self.name))[0]["State"]
        return state

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Wait for /readyz."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.state()["Running"]:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", trust_env=False).status_code == 200:
                    return
            time.sleep(0.05)
        logs = self.engine.attempt("logs", self.name)
        pytest.fail(f"the container did not get ready:\n{logs.stdout}{logs.stderr}")


Boot = Callable[..., AbstractContextManager[Container]]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    work = tmp_path_factory.mktemp("containers")
    found = find_engine(work)
    yield found
    remove_store(found, work)


@pytest.fixture(scope="session")
def image(engine: Engine, demo_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The service's image, by the command that a user types."""
    # BentoML's messages go to its store; one of the tests' own leaves the user's alone.
    home = tmp_path_factory.mktemp("bentoml")
    built = subprocess.run(
        [
            "make",
            "image",
            f"BUNDLE={demo_bundle}",
            f"BACKEND={engine.backend}",
            f"IMAGE={IMAGE}",
            "IMAGE_OPTIONS="
            + shlex.join(
                part
                for option in engine.build_options
                for part in ("--opt", option.removeprefix("--"))
            ),
        ],
        cwd=ROOT,
        env=engine.variables | {"BENTOML_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    # `bentoml containerize` ends with 0 where its builder failed.
    told = built.stdout[-5000:] + built.stderr[-5000:]
    assert built.returncode == 0, told
    assert engine.attempt("image", "inspect", IMAGE).returncode == 0, told
    return IMAGE


@pytest.fixture(scope="session")
def boot(engine: Engine, image: str) -> Boot:
    """Start a container: ``with boot(*options) as container``, ready when it is entered."""

    @contextlib.contextmanager
    def start(*options: str, ready: bool = True) -> Iterator[Container]:
        port = free_port()
        name = engine("run", "--detach", f"--publish=127.0.0.1:{port}:3000", *options, image)
        container = Container(engine, name, f"http://127.0.0.1:{port}")
        try:
            if ready:
                container.wait_until_ready()
            yield container
        finally:
            engine("rm", "--force", name, check=False)

    return start


@pytest.fixture(scope="module")
def confined(boot: Boot) -> Iterator[Container]:
    """The container that tests share which do not stop it."""
    with boot(*CONFINED) as container:
        yield container
