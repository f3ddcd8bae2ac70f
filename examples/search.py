"""Search by words, or by an image of your own, and print what was found.

    pip install httpx
    python examples/search.py "a red fox"
    python examples/search.py --image photo.jpg

The service is at ``SIGHTLINE_SERVICE_URL``; its key, if it has one, is in ``SIGHTLINE_API_KEY``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import httpx

_ATTEMPTS = 5


def ask(client: httpx.Client, path: str, **body: Any) -> list[dict[str, Any]]:
    """The results of a search, best first; asked again where the service is busy.

    Raises:
        SystemExit: the service says no; its message names the field and the rule.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        response = client.post(path, **body)
        if response.status_code not in (429, 503) or attempt == _ATTEMPTS:
            break
        time.sleep(float(response.headers.get("Retry-After", "1")))
    if response.is_error:
        sys.exit(f"error: {response.json()['error']['message']}")
    results: list[dict[str, Any]] = response.json()["results"]
    return results


def main() -> None:
    """Ask with what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("query", nargs="?", help="what the image shows")
    parser.add_argument("--image", type=Path, metavar="FILE", help="or what it resembles")
    arguments = parser.parse_args()
    key = os.environ.get("SIGHTLINE_API_KEY")
    with httpx.Client(
        base_url=os.environ.get("SIGHTLINE_SERVICE_URL", "http://localhost:3000"),
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=30,
    ) as client:
        if arguments.image:
            file = arguments.image.read_bytes()
            results = ask(client, "/search_by_image", files={"image": file}, data={"k": 3})
        else:
            results = ask(client, "/search", json={"query": arguments.query, "k": 3})
    for found in results:
        print(f"{found['similarity']:.3f}  {found['image_path']}  {found['alt_text']}")


if __name__ == "__main__":
    main()
