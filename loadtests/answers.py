"""What counts as a good answer.  Apart from the users: importing Locust patches sockets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

QUERIES = (Path(__file__).parent / "queries.txt").read_text(encoding="utf-8").splitlines()


@dataclass
class Judge:
    """Says what is wrong with answers, and remembers the images in them.

    ``images`` is how many the service has, None where that is not known.
    """

    images: int | None = None
    _paths: dict[str, str] = field(default_factory=dict)

    def fault(self, status: int, text: str | None, k: int, *, filtered: bool = False) -> str | None:
        """What is wrong with an answer to a search, or None.

        Args:
            status: 0 where there was no answer at all.
            text: its body.
            k: how many images were asked for.
            filtered: among some of the images only, so that there may be fewer.
        """
        if status != 200:
            return f"status {status}: {(text or '')[:200]}" if status else "no answer"
        try:
            results = json.loads(text or "")["results"]
            similarities = [float(result["similarity"]) for result in results]
            paths = [(str(result["id"]), str(result["image_path"])) for result in results]
            addresses = [str(result["image_url"]) for result in results]
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            return f"not an answer to a search: {error!r}"
        if len(results) > k:
            return f"{len(results)} results, {k} were asked for"
        there = k if self.images is None else min(k, self.images)
        if not filtered and self.images is not None and len(results) < there:
            return f"{len(results)} results, there are {there}"
        if similarities != sorted(similarities, reverse=True):
            return "the best does not come first"
        if len(set(paths)) < len(paths):
            return "an image is there twice"
        for (image, path_), address in zip(paths, addresses, strict=True):
            if image not in address:
                return f"the address of {image} is another image's: {address}"
            if self._paths.setdefault(image, path_) != path_:
                return f"{image} is {self._paths[image]} and {path_}"
        return None


def refusal_fault(status: int, text: str | None) -> str | None:
    """What is wrong with an answer to a request that makes no sense, or None."""
    if not 400 <= status < 500:
        return f"status {status} for what makes no sense"
    try:
        message: Any = json.loads(text or "")["error"]["message"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        return f"a refusal without a reason: {error!r}"
    return None if message else "a refusal without a reason"


def path(address: str) -> str:
    """An address without its host: what the service itself has to answer."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
