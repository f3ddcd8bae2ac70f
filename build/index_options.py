"""What a bundle is to be made of, as the command line says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from build.metadata.description import Metadata
from build.shards.reading import Shards
from models import machine
from models.graph import Device
from models.index_file import Metric
from models.tuning import TARGET_RECALL


@dataclass(frozen=True)
class IndexOptions:
    """What a bundle is to be made of; see ``python -m build index --help``."""

    output: Path
    model: Path
    images: Path | None = None
    metric: Metric = "ip"
    sample_size: int | None = None
    seed: int = 0
    embeddings: Path | None = None
    paths: Path | None = None
    shards: Shards | None = None
    threads: int | None = None
    captioner: str | None = None
    ocr: bool = False
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    prune: bool = False
    metadata: Metadata = "basic"
    device: Device = "cpu"
    recall: float = TARGET_RECALL


def threads_of(options: IndexOptions) -> int:
    """How many threads a build uses: as many as are asked for, else all cores."""
    if options.threads is not None:
        return options.threads
    return machine.cores()
