"""From Enter to the last of twelve thumbnails painted, in Chromium, over the gallery.

    python -m benchmarks.page                 # prints the median over twenty searches

Starts a service and a page of its own over ``--bundle``. A thumbnail counts as painted in the
frame after the one in which it was complete and decoded; that of the search before no longer
count, since a new heading has to stand there. Every search is new, and so are most images:
none is in the browser's cache, but those that two searches share.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.servers import Command, running

_BIN = Path(sys.executable).parent
_SEARCHES = (
    *("a guitar", "a red car", "a house by a tree", "something to eat", "a sailing boat"),
    *("a dog", "a bird on a branch", "a bicycle", "a cup of coffee", "a flower in a garden"),
    *("a computer", "a pair of shoes", "a smiling face", "a fish in the sea", "a birthday cake"),
    *("a clock on a wall", "a mountain", "a drum", "a horse", "a bunch of grapes"),
)
_WARM_UP = ("a cat", "a tree")

# Resolves with the milliseconds from Enter to the frame that shows the last image.
_MEASURE = """(words) => new Promise((resolve) => {
  const field = document.querySelector(".st-key-text input");
  let started = 0;
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") started = performance.now();
  }, { capture: true, once: true });
  const look = () => {
    const heading = document.getElementById("sightline-results");
    // All that were found, those as well that are folded away as weaker matches.
    document.querySelector("details.weaker")?.setAttribute("open", "");
    const images = [...document.querySelectorAll("ul.grid img")];
    const there = started && heading?.textContent.includes(words) && images.length > 0
      && images.every((image) => image.complete && image.naturalWidth);
    if (there) {
      Promise.all(images.map((image) => image.decode())).then(() =>
        requestAnimationFrame(() => requestAnimationFrame(() =>
          resolve({ milliseconds: performance.now() - started, images: images.length }))));
    } else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/demo"))
    bundle = parser.parse_args().bundle.resolve()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or not bundle.is_dir():
        missing = "Chromium" if chromium is None else f"the bundle {bundle} (make demo)"
        print(f"error: {missing} is needed", file=sys.stderr)
        return 1
    cores = sorted(os.sched_getaffinity(0))
    serve = Command(
        (str(_BIN / "bentoml"), "serve", "service:Sightline", "--port", "{port}"),
        "/readyz",
        {"SIGHTLINE_BUNDLE": str(bundle)},
    )
    with (
        tempfile.TemporaryDirectory(prefix="sightline-page-") as logs,
        running(serve, cores, Path(logs, "service")) as service,
    ):
        show = Command(
            (str(_BIN / "streamlit"), "run", "ui/app.py", "--server.port", "{port}"),
            "/_stcore/health",
            {"SIGHTLINE_SERVICE_URL": f"http://127.0.0.1:{service.port}"},
        )
        with running(show, cores, Path(logs, "page")) as page:
            taken = sorted(measure(chromium, f"http://127.0.0.1:{page.port}"))
    print(
        f"From Enter to the last of 12 thumbnails, {len(taken)} searches: "
        f"median {statistics.median(taken):.0f} ms, "
        f"fastest {taken[0]:.0f} ms, slowest {taken[-1]:.0f} ms"
    )
    return 0


def measure(chromium: str, page_address: str) -> list[float]:
    """The milliseconds of each search of a reader who makes one after the other."""
    from playwright.sync_api import sync_playwright

    taken = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
        )
        # High enough that all twelve are to be seen: an image out of sight is not fetched.
        page = browser.new_page(viewport={"width": 1280, "height": 1400}, locale="en-GB")
        page.goto(page_address)
        page.locator("#sightline-results").wait_for()
        for words in (*_WARM_UP, *_SEARCHES):
            page.locator(".st-key-text input").fill(words)
            page.evaluate(f"(words) => {{ window.measured = ({_MEASURE})(words); }}", words)
            page.keyboard.press("Enter")
            measured = page.evaluate("window.measured")
            if words not in _WARM_UP:
                taken.append(float(measured["milliseconds"]))
        browser.close()
    return taken


if __name__ == "__main__":
    sys.exit(main())
