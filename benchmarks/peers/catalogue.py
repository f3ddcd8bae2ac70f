"""All of them, and why some are not there."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.environments import NotInstalledError
from benchmarks.peers import (
    Maker,
    Peer,
    Setting,
    bentoml_batching,
    clip_retrieval,
    flask_stack,
    infinity,
    sightline,
)

MAKERS: Mapping[str, Maker] = {
    "sightline": sightline.peers,
    "bentoml": bentoml_batching.peers,
    "flask": flask_stack.peers,
    "clip-retrieval": clip_retrieval.peers,
    "infinity": infinity.peers,
}


def collect(
    setting: Setting, makers: Mapping[str, Maker] = MAKERS
) -> tuple[list[Peer], dict[str, str]]:
    """The peers that can be run, and the reason for each that cannot."""
    found: list[Peer] = []
    missing: dict[str, str] = {}
    for name, make in makers.items():
        try:
            found += make(setting)
        except NotInstalledError as error:
            missing[name] = f"not installed: {error}"
    return found, missing
