"""From Enter to the last visible thumbnail painted, in Chromium: the page that people wait for.

    python -m benchmarks.page                            # twelve images a search, over the gallery
    python -m benchmarks.page --counts 12 96 --bundle bundles/many
    python -m benchmarks.page --beside ../other-checkout  # in turns with another commit's page

Prints the median over twenty searches a round.  Starts a service and a page of its own over
``--bundle``; with ``--beside`` those of another checkout as well, over ``--beside-bundle`` where
that needs one of its own, and each search is made on both before the next one.  A machine that
does something else makes both slower: quote the ratio.  ``python -m benchmarks.many_images`` makes
a large collection.

A thumbnail counts as painted in the frame after the one in which it was complete and decoded; that
of the search before no longer counts, since a new heading has to stand there.  Every search is
new, and so are most images: none is in the browser's cache, but those that two searches share.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.servers import ROOT, Command, running

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
    const images = [...document.querySelectorAll("ul.grid img")].filter(
      (image) => image.getBoundingClientRect().top < innerHeight);
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
    parser.add_argument("--counts", type=int, nargs="+", default=[12], help="images a search")
    parser.add_argument("--rounds", type=int, default=1, help="times twenty searches")
    parser.add_argument("--beside", type=Path, help="another checkout, measured in turns")
    parser.add_argument("--beside-bundle", type=Path, help="what that serves, by default the same")
    arguments = parser.parse_args()
    bundle = arguments.bundle.resolve()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or not bundle.is_dir():
        missing = "Chromium" if chromium is None else f"the bundle {bundle} (make demo)"
        print(f"error: {missing} is needed", file=sys.stderr)
        return 1
    with contextlib.ExitStack() as started:
        # The other first: what is compared is how many times as long this one takes.
        pages = {}
        if arguments.beside is not None:
            other = (arguments.beside_bundle or bundle).resolve()
            pages["beside"] = started.enter_context(_served(arguments.beside.resolve(), other))
        pages["here"] = started.enter_context(_served(ROOT, bundle))
        for count in arguments.counts:
            taken = measure(chromium, pages, count, arguments.rounds)
            for name, each in taken.items():
                print(
                    f"{name}: from Enter to the last visible of {count} thumbnails, "
                    f"{len(each)} searches: median {statistics.median(each):.0f} ms, "
                    f"fastest {min(each):.0f} ms, slowest {max(each):.0f} ms"
                )
            if "beside" in taken:
                pairs = zip(taken["here"], taken["beside"], strict=True)
                ratio = statistics.median(here / beside for here, beside in pairs)
                print(f"here / beside, search by search: median {ratio:.2f}")
    return 0


@contextlib.contextmanager
def _served(checkout: Path, bundle: Path) -> Iterator[str]:
    """The address of a checkout's page, over its own service."""
    cores = sorted(os.sched_getaffinity(0))
    serve = Command(
        (str(_BIN / "bentoml"), "serve", "service:Sightline", "--port", "{port}"),
        "/readyz",
        {"SIGHTLINE_BUNDLE": str(bundle)},
        checkout,
    )
    with (
        tempfile.TemporaryDirectory(prefix="sightline-page-") as logs,
        running(serve, cores, Path(logs, "service")) as service,
    ):
        show = Command(
            (str(_BIN / "streamlit"), "run", "ui/app.py", "--server.port", "{port}"),
            "/_stcore/health",
            {"SIGHTLINE_SERVICE_URL": f"http://127.0.0.1:{service.port}"},
            checkout,
        )
        with running(show, cores, Path(logs, "page")) as page:
            yield f"http://127.0.0.1:{page.port}"


def measure(
    chromium: str, pages: Mapping[str, str], count: int, rounds: int
) -> dict[str, list[float]]:
    """The milliseconds of each search of a reader who makes one after the other.

    Args:
        chromium: the browser's program.
        pages: the addresses of the pages, by name; each search is made on all of them.
        count: how many images a search shows.
        rounds: how often, each time with nothing in the browser's cache.
    """
    from playwright.sync_api import sync_playwright

    taken: dict[str, list[float]] = {name: [] for name in pages}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
        )
        for _ in range(rounds):
            opened = {}
            for name, address in pages.items():
                # High enough that twelve are to be seen: what is out of sight is not fetched.
                context = browser.new_context(
                    viewport={"width": 1280, "height": 1400}, locale="en-GB"
                )
                opened[name] = context.new_page()
                opened[name].goto(f"{address}?k={count}")
                opened[name].locator("#sightline-results").wait_for()
            for words in (*_WARM_UP, *_SEARCHES):
                for name, page in opened.items():
                    page.bring_to_front()
                    page.locator(".st-key-text input").fill(words)
                    page.evaluate(f"(words) => {{ window.measured = ({_MEASURE})(words); }}", words)
                    page.keyboard.press("Enter")
                    measured = page.evaluate("window.measured")
                    if words not in _WARM_UP:
                        taken[name].append(float(measured["milliseconds"]))
            for page in opened.values():
                page.context.close()
        browser.close()
    return taken


if __name__ == "__main__":
    sys.exit(main())
