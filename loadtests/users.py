"""Those who ask: searchers, browsers, people with an image, with filters, and with no sense.

Each waits for its answer before it asks again.  Whoever is told to come back later (429) does so,
and it counts apart, as ``429``: the service's way to say that it has enough to do is no failure.
"""

from __future__ import annotations

import os
import random
import time
from itertools import accumulate
from typing import Any

from locust import FastHttpUser, constant, task

from loadtests.answers import QUERIES, Judge, path, refusal_fault

_KEY = os.environ.get("SIGHTLINE_API_KEY")
_HEADERS = {"Authorization": f"Bearer {_KEY}"} if _KEY else {}
# As people ask: the n-th query one n-th as often as the first (Zipf).
_WEIGHTS = list(accumulate(1 / rank for rank in range(1, len(QUERIES) + 1)))
_NONSENSE: list[tuple[str, dict[str, Any]]] = [
    ("/search", {"json": {}}),
    ("/search", {"json": {"query": ""}}),
    ("/search", {"json": {"query": "a fox", "k": 1001}}),
    ("/search", {"json": {"query": "a fox", "filter": {"year": {"near": 1999}}}}),
    ("/search", {"json": {"like": "no image has this id"}}),
    ("/search", {"data": "{"}),
    ("/encode", {"json": {"texts": []}}),
    ("/search_by_image", {"data": "no form"}),
]
_BORDER = "a-border-that-no-image-contains"

# One for all users of this process: what an image is called must not change between them.
judge = Judge()


class _User(FastHttpUser):
    """Somebody."""

    abstract = True
    wait_time = constant(0)

    def on_start(self) -> None:
        """Learn how many images there are, once."""
        if judge.images is None:
            with self.client.get("/info", headers=_HEADERS, catch_response=True) as response:
                if response.status_code == 200:
                    judge.images = int(response.json()["images"])
                else:
                    response.failure(f"status {response.status_code}")

    def search(self, name: str, **fields: Any) -> list[dict[str, Any]]:
        """The results for a query."""
        query = random.choices(QUERIES, cum_weights=_WEIGHTS)[0]
        body = {"query": query, **fields}
        return self.results("/search", f"search {name}", fields["k"], "filter" in fields, json=body)

    def results(
        self, address: str, name: str, k: int, filtered: bool = False, **options: Any
    ) -> list[dict[str, Any]]:
        """The results of a search, none where it failed."""
        headers = _HEADERS | options.pop("headers", {})
        with self.client.post(
            address, name=name, headers=headers, catch_response=True, **options
        ) as response:
            if self.is_refused(response):
                return []
            if wrong := judge.fault(response.status_code, response.text, k, filtered=filtered):
                response.failure(wrong)
                return []
            response.success()
            found: list[dict[str, Any]] = response.json()["results"]
            return found

    def is_refused(self, response: Any) -> bool:
        """Whether the service has too much to do; if so, wait as it says."""
        if response.status_code != 429:
            return False
        response.request_meta["name"] = "429"
        response.success()
        # Locust has made this one yield to the other users.
        time.sleep(float(response.headers.get("Retry-After", 1)))
        return True

    def image(self, address: str, name: str) -> bytes:
        """An image, none where it cannot be had."""
        with self.client.get(
            path(address), name=name, headers=_HEADERS, catch_response=True
        ) as response:
            if response.status_code != 200 or not response.content:
                response.failure(
                    f"status {response.status_code}, {len(response.content or b'')} bytes"
                )
                return b""
            content: bytes = response.content
            return content


class Searcher(_User):
    """Looks for images."""

    weight = 12

    @task(10)
    def five(self) -> None:
        """The usual search."""
        self.search("k=5", k=5)

    @task(3)
    def twenty(self) -> None:
        """A page full of images."""
        self.search("k=20", k=20)


class Filterer(_User):
    """Looks among images whose metadata fits; they need not exist."""

    weight = 2

    @task
    def filtered(self) -> None:
        """One licence only."""
        self.search("filter", k=5, filter={"licence": "CC0-1.0"})


class Browser(_User):
    """Looks for images, and at them."""

    weight = 2

    @task
    def look(self) -> None:
        """The thumbnails of what was found, and one image as a whole."""
        found = self.search("k=5", k=5)
        for result in found:
            self.image(result["image_url"], "thumbnail")
        if found:
            self.image(f"/images/{found[0]['id']}", "image")


class Resembler(_User):
    """Has an image, and looks for others like it."""

    weight = 1

    @task
    def resemble(self) -> None:
        """An image that was found before, sent as a query."""
        for result in self.search("k=5", k=5)[:1]:
            if content := self.image(result["image_url"], "thumbnail"):
                self.results("/search_by_image", "search by image", 5, **_form(content))


class Fumbler(_User):
    """Asks for what makes no sense, and has to be told so; cheaply, so that it takes its time."""

    weight = 1
    wait_time = constant(0.1)

    @task
    def fumble(self) -> None:
        """One of several kinds of nonsense."""
        address, options = random.choice(_NONSENSE)
        with self.client.post(
            address, name="nonsense", headers=_HEADERS, catch_response=True, **options
        ) as response:
            if self.is_refused(response):
                return
            if wrong := refusal_fault(response.status_code, response.text):
                response.failure(wrong)
            else:
                response.success()


def _form(image: bytes) -> dict[str, Any]:
    """An image as ``multipart/form-data``, whose fields Locust's fast client does not write."""
    head = f'--{_BORDER}\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    return {
        "data": head.encode() + image + f"\r\n--{_BORDER}--\r\n".encode(),
        "headers": {"Content-Type": f"multipart/form-data; boundary={_BORDER}"},
    }
