"""Searches as people make them, over and over, against a running service.

Each user waits for its answer before it asks again (a closed loop), so the number of
users is the number of searches under way::

    locust -f loadtests/locustfile.py --headless --users 32 --spawn-rate 32 \\
        --run-time 30s --host http://127.0.0.1:3000

An answer counts as good when its status is 200, it has at most as many pictures as were
asked for, and the best comes first.  429 is the service's way to say that it has enough to
do: it is counted apart, as ``429``, and is no failure.  ``SIGHTLINE_API_KEY`` is sent when
it is set.
"""

from __future__ import annotations

import os
import random
from typing import Any

from locust import FastHttpUser, constant, task

from loadtests.answers import QUERIES, fault, path

_KEY = os.environ.get("SIGHTLINE_API_KEY")
_HEADERS = {"Authorization": f"Bearer {_KEY}"} if _KEY else {}


class Searcher(FastHttpUser):
    """Somebody who looks for pictures, and now and then at one."""

    wait_time = constant(0)

    @task(10)
    def five(self) -> None:
        """The usual search."""
        self.search("k=5", k=5)

    @task(3)
    def twenty(self) -> None:
        """A page full of pictures."""
        self.search("k=20", k=20)

    @task(2)
    def filtered(self) -> None:
        """Only pictures whose metadata fits; they need not exist."""
        self.search("filter", k=5, filter={"licence": "CC0-1.0"})

    @task(2)
    def looking(self) -> None:
        """A search, then the thumbnails it found."""
        for address in self.search("k=5", k=5):
            with self.client.get(
                address, name="thumbnail", headers=_HEADERS, catch_response=True
            ) as response:
                if response.status_code == 200 and not response.content:
                    response.failure("an empty thumbnail")

    def search(self, name: str, **fields: Any) -> list[str]:
        """Ask for a random query; the addresses of the thumbnails found."""
        body = {"query": random.choice(QUERIES), **fields}
        with self.client.post(
            "/search", json=body, name=f"search {name}", headers=_HEADERS, catch_response=True
        ) as response:
            if response.status_code == 429:
                response.request_meta["name"] = "429"
                response.success()
                return []
            wrong = fault(response.status_code, response.text, fields["k"])
            if wrong:
                response.failure(wrong)
                return []
            response.success()
            return [path(result["image_url"]) for result in response.json()["results"]]
