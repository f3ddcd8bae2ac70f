"""What shards say of themselves: one document for each, and one for all of them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from build.errors import BuildError
from build.metadata.description import Metadata
from build.shards.storage import MissingError, Storage
from models.manifest import Skipped
from models.model_card import ModelCard

MANIFEST = "_sightline.json"
_DONE = "_done"
_SHARD = re.compile(r"shard-\d{5,}\.parquet")
Precision = Literal["float32", "float16"]


class Shard(BaseModel):
    """A shard that is finished.

    ``images`` are its rows, ``size`` its bytes; ``made_of`` is a checksum of what it was made of:
    the images, what is said beside them, the model and the options.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    images: int
    size: int
    sha256: str
    made_of: str
    skipped: list[Skipped] = Field(default_factory=list)


class ShardsManifest(BaseModel):
    """All shards of a folder: ``_sightline.json``.

    ``encoder`` is a checksum of all that an embedding depends on besides its image; ``images`` is
    where these lie, ``count`` how many are in the shards; ``skipped`` names those that are not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    model: ModelCard
    encoder: str
    images: str
    metadata: Metadata
    precision: Precision
    count: int
    shards: list[Shard]
    skipped: list[Skipped]
    versions: dict[str, str]
    created: str


def shard_name(number: int) -> str:
    """What a shard's file is called."""
    return f"shard-{number:05}.parquet"


def is_shard(name: str) -> bool:
    """Whether a file is called as shards are."""
    return bool(_SHARD.fullmatch(name))


def finished(storage: Storage, name: str) -> Shard | None:
    """What is known of a shard that was finished; None where it was not.

    Raises:
        BuildError: the storage cannot be read.
    """
    try:
        return Shard.model_validate_json(storage.read(_done(name)))
    except (MissingError, ValidationError):
        return None


def mark_finished(storage: Storage, shard: Shard) -> None:
    """Write that a shard is there.

    Raises:
        BuildError: the storage cannot be written.
    """
    storage.write(_done(shard.name), shard.model_dump_json(indent=1).encode())


def forget(storage: Storage, name: str) -> None:
    """Take a shard away, and what is known of it."""
    for each in (_done(name), name):
        storage.remove(each)


def read_manifest(storage: Storage) -> ShardsManifest:
    """The manifest of finished shards.

    Raises:
        BuildError: there is none, or it is damaged.
    """
    try:
        return ShardsManifest.model_validate_json(storage.read(MANIFEST))
    except MissingError:
        raise BuildError(
            f"{storage.address} has no {MANIFEST}: its shards are not finished. The command that "
            "makes them goes on where it was."
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise BuildError(
            f"{storage.address}/{MANIFEST} is damaged or of another release: {where}: "
            f"{first['msg']}."
        ) from None


def _done(name: str) -> str:
    return f"{_DONE}/{PurePosixPath(name).stem}.json"
