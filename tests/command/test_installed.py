"""What `pip install .` gives: the command, in a folder that has nothing to do with the checkout."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import free_port
from tests.tools import require_module

ROOT = Path(__file__).resolve().parents[2]
GALLERY = ROOT / "demo" / "gallery" / "animals"
_PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Installed:
    """A wheel, where it is installed, and an empty folder to type commands in."""

    wheel: Path
    site: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PYTHONPATH": str(self.site),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }

    def command(self, *arguments: str) -> list[str]:
        return [str(self.site / "bin" / "sightline"), *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.python(*self.command(*arguments))

    def python(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    require_module("hatchling", "the wheel is built by it")
    folder = tmp_path_factory.mktemp("installed")
    site, empty = folder / "site", folder / "empty"
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*_PIP, *build, str(ROOT)], check=True, cwd=folder)
    (wheel,) = folder.glob("sightline-*.whl")
    install = ["install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*_PIP, *install, "--target", str(site), str(wheel)], check=True, cwd=folder)
    images = empty / "images"
    images.mkdir(parents=True)
    for image in sorted(GALLERY.glob("*.webp"))[:10]:
        shutil.copy(image, images)
    # A folder called like the package, as the checkout has it, which is not what is meant.
    (empty / "sightline").mkdir()
    (empty / "sightline" / "__init__.py").write_text("raise RuntimeError('not this one')\n")
    return Installed(wheel, site, empty)


@pytest.fixture(scope="module")
def indexed(installed: Installed) -> subprocess.CompletedProcess[str]:
    return installed.run("index", "--images", "images", "--output", "my bundle")


def test_the_wheel_has_one_name(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"sightline"}


def test_it_says_which_release_it_is(installed: Installed) -> None:
    said = installed.run("--version")
    assert said.stdout == "sightline 0.1.0\n", said.stderr
    assert f"sightline-{said.stdout.split()[1]}-" in installed.wheel.name


def test_index_says_what_to_type_next(indexed: subprocess.CompletedProcess[str]) -> None:
    assert indexed.returncode == 0, indexed.stderr
    assert indexed.stdout.splitlines()[-1].startswith("found 10; embedded 10")
    assert indexed.stderr.splitlines()[-1] == "serve it:  sightline serve --bundle 'my bundle'"


@pytest.mark.usefixtures("indexed")
def test_search_takes_the_bundle_made_last(installed: Installed) -> None:
    answer = installed.run("search", "an eagle", "-k", "2", "--json")
    assert answer.returncode == 0, answer.stderr
    results = json.loads(answer.stdout)["results"]
    assert [result["image_path"].split("-")[0] for result in results] == ["bald", "bald"]


@pytest.mark.usefixtures("indexed")
def test_serve_answers_this_machine_until_ctrl_c(installed: Installed) -> None:
    port = free_port()
    # Two, which are started by a third.
    service = installed.start("serve", "--port", str(port), SIGHTLINE_WORKERS="2")
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            _wait(client, "/readyz", service)
            found = client.post("/search", json={"query": "an eagle", "k": 1}).json()
        assert found["results"][0]["image_path"].startswith("bald-eagle")
        # Of all the machine's addresses, this one is not taken.
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.2:{port}/livez", trust_env=False)
        service.send_signal(signal.SIGINT)
        assert service.wait(timeout=20) == 0
    finally:
        service.kill()
        service.communicate()


def test_open_shows_the_page_until_ctrl_c(installed: Installed) -> None:
    ports = free_port(), free_port()
    options = ["--no-browser", "--port", str(ports[0]), "--page-port", str(ports[1])]
    opened = installed.start("open", "images", *options)
    try:
        with httpx.Client(trust_env=False) as client:
            service, page = (f"http://127.0.0.1:{port}" for port in ports)
            _wait(client, f"{page}/_stcore/health", opened)
            _wait(client, f"{service}/readyz", opened)
            with pytest.raises(httpx.ConnectError):
                client.get(f"http://127.0.0.2:{ports[1]}")
        # What a browser would have it do.
        script = installed.site / "sightline" / "ui" / "app.py"
        run = (
            "import os, sys; from streamlit.testing.v1 import AppTest\n"
            f"os.environ['SIGHTLINE_SERVICE_URL'] = {service!r}\n"
            f"page = AppTest.from_file({str(script)!r}, default_timeout=60).run()\n"
            "sys.exit(str(page.exception) if page.exception or not page.text_input else 0)"
        )
        shown = installed.python(sys.executable, "-P", "-c", run)
        assert shown.returncode == 0, shown.stderr
        opened.send_signal(signal.SIGINT)
        said, _ = opened.communicate(timeout=30)
        assert opened.returncode == 0, said
    finally:
        opened.kill()
        opened.communicate()
    assert page in said
    assert service in said
    assert said.endswith("\nstopped\n")
    for address in (page, service):
        with pytest.raises(httpx.ConnectError):
            httpx.get(address, trust_env=False)
    # Beside those of other folders.
    (bundle,) = (installed.folder / "cache" / "sightline" / "bundles").glob("[!.]*")
    assert bundle.name.startswith("images-")


def _wait(client: httpx.Client, address: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"it ended: {process.communicate()[0]}")
        try:
            if client.get(address).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"nothing answers at {address}")
