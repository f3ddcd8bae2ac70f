"""The machine that the figures belong to, and which of its processors are used."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from build.processor import describe_processor

# What makes small matrix products fast, as Linux names it.
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
_PACKAGES = (
    *("bentoml", "faiss-cpu", "onnxruntime", "tokenizers", "numpy", "uvloop", "httptools"),
    *("torch", "open_clip_torch", "flask", "waitress", "gunicorn", "pillow"),
)
# Figures of different machines are not to be compared.
_SAME = ("processor", "cores", "threads")


def describe(threads: int) -> dict[str, Any]:
    """Processor, memory, system and releases, for the results."""
    processor, flags = describe_processor()
    return {
        "processor": processor,
        "flags": [flag for flag in _FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_gb": round(psutil.virtual_memory().total / (1 << 30), 1),
        "system": platform.system() + " " + platform.release(),
        "python": platform.python_version(),
        "commit": _commit(),
        "versions": versions(),
    }


def is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether figures of both may stand in one table."""
    return all(one.get(key) == other.get(key) for key in _SAME)


def versions(library: Path | None = None) -> dict[str, str]:
    """Releases here, or of everything in another environment's ``site-packages``."""
    if library is None:
        return {name: importlib.metadata.version(name) for name in _PACKAGES}
    found = importlib.metadata.distributions(path=[str(library)])
    return {one.name: one.version for one in sorted(found, key=lambda one: one.name.lower())}


def cores(count: int) -> tuple[list[int], list[int]]:
    """The processors that servers are bound to, and those left to the load generator.

    On a machine with no others the load generator shares the servers'.
    """
    usable = sorted(os.sched_getaffinity(0))
    return usable[:count], usable[count:] or usable


def _commit() -> str | None:
    """What was measured, if this is a checkout."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() or None
