"""A database of what is known of some images, and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.database import Database, new_database
from models.facts import FactWriter
from models.folder import Folder
from models.manifest import record_files

_NAME = "facts.sqlite"


def facts_database(folder: Path, metadata: Sequence[Mapping[str, Any]]) -> Database:
    """What is known of each image, written to a new file and opened."""
    writer = FactWriter()
    for position, each in enumerate(metadata):
        writer.add(position, each)
    with new_database(folder / _NAME) as connection:
        writer.write(connection)
    return opened_facts(folder)


def opened_facts(folder: Path) -> Database:
    """The file in a folder as it is now."""
    files = Folder(folder)
    files.open(record_files(folder, [_NAME]))
    return Database(files, _NAME, files.read(_NAME))
