"""What counts as a good answer.  Apart from the locustfile: importing Locust patches sockets."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

QUERIES = (Path(__file__).parent / "queries.txt").read_text(encoding="utf-8").splitlines()


def fault(status: int, text: str, k: int) -> str | None:
    """What is wrong with an answer to a search, or None."""
    if status != 200:
        return f"status {status}: {text[:200]}"
    try:
        similarities = [float(result["similarity"]) for result in json.loads(text)["results"]]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        return f"not an answer to a search: {error!r}"
    if len(similarities) > k:
        return f"{len(similarities)} results, {k} were asked for"
    if similarities != sorted(similarities, reverse=True):
        return "the best does not come first"
    return None


def path(address: str) -> str:
    """An address without its host: what the service itself has to answer."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
