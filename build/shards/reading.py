"""Shards as others read them: a part at a time, in order, or an image by its path.

What is in memory is a group of rows for each reader, however many images there are.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from build.directions import Directions
from build.errors import BuildError
from build.metadata.description import Description
from build.shards.documents import MANIFEST, Shard, read_manifest
from build.shards.storage import Storage, is_address, storage_at
from build.shards.table import EMBEDDING, arrow

_T = TypeVar("_T")
_SAID = ("caption", "alt_text", "metadata", "sources")


@dataclass(frozen=True, slots=True)
class _Group:
    """Some rows of a shard that are read together."""

    shard: Shard
    number: int
    first_path: str


def shards_at(place: str) -> Shards | None:
    """The shards at an address or in a folder; None where a folder has no manifest of shards.

    Raises:
        BuildError: they are not finished, or not whole.
    """
    storage = storage_at(place)
    if not is_address(place) and storage.size(MANIFEST) is None:
        return None
    return Shards(storage)


class Shards:
    """Finished shards.

    Args:
        storage: where they are.

    Raises:
        BuildError: they are not finished, not whole, or no shards.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.manifest = read_manifest(storage)
        self.paths: list[str] = []
        self.sizes: list[tuple[int, int]] = []
        self._groups: list[_Group] = []
        for shard in self.manifest.shards:
            self._take(shard)

    def __len__(self) -> int:
        return len(self.paths)

    def unit_rows(self) -> Iterator[NDArray[np.float32]]:
        """All embeddings in order, of length one: float32 ``[some, dim]`` at a time.

        Raises:
            BuildError: rows have no direction, or a shard is damaged.
        """
        directions = Directions(self.storage.address)
        for table in self._tables([EMBEDDING], self._groups):
            column = table.column(EMBEDDING).combine_chunks()
            rows = column.values.to_numpy().reshape(len(table), -1)
            yield directions.scaled(rows)
        directions.refuse()

    def require(self, encoder: str) -> None:
        """Refuse another model than the one that these embeddings are by.

        Args:
            encoder: the checksum of what its embeddings depend on.

        Raises:
            BuildError: it is another.
        """
        if self.manifest.encoder != encoder:
            model = self.manifest.model
            raise BuildError(
                f"{self.storage.address} was made with {model.name} ({model.pretrained}), or by "
                "another release, and not with the model that is given here. Give --model the "
                "package that the shards were made with."
            )

    @property
    def root(self) -> Path | None:
        """The folder of the images, where it is on this machine."""
        images = Path(self.manifest.images)
        return images if images.is_dir() else None

    @property
    def said(self) -> Mapping[str, Description]:
        """What is said of each image, by path; quick where it is asked in order."""
        return _ByPath(
            self, _SAID, lambda cells: Description(*cells[:2], *map(json.loads, cells[2:]))
        )

    def each(self, column: str, paths: Iterable[str]) -> Iterator[Any]:
        """The cells of a column, for some paths in order."""
        by_path = _ByPath(self, (column,), lambda cells: cells[0])
        return (by_path[path] for path in paths)

    def group_of(self, path: str) -> int:
        """The number of the group that a path is in, if it is in any."""
        return bisect_right(self._groups, path, key=lambda group: group.first_path) - 1

    def read(self, group: int, columns: Sequence[str]) -> Any:
        """Some columns of a group, as a table.

        Raises:
            BuildError: the shard is damaged.
        """
        return next(self._tables(columns, [self._groups[group]]))

    def _take(self, shard: Shard) -> None:
        """Read the paths and sizes of a shard, and see that it is one.

        Raises:
            BuildError: it is not whole, or its paths do not follow those before it.
        """
        if self.storage.size(shard.name) != shard.size:
            raise self._damaged(shard, f"it has not the size that {MANIFEST} says")
        if not shard.images:
            return
        before = len(self.paths)
        with self._opened(shard) as file:
            for number in range(file.num_row_groups):
                table = file.read_row_group(number, ["image_path", "width", "height"])
                paths, widths, heights = (table.column(at).to_pylist() for at in range(3))
                self._groups.append(_Group(shard, number, paths[0]))
                self.paths += paths
                self.sizes += zip(widths, heights, strict=True)
        if len(self.paths) - before != shard.images:
            raise self._damaged(shard, f"it has not the images that {MANIFEST} says")
        ordered = self.paths[max(before - 1, 0) :]
        if any(one >= other for one, other in pairwise(ordered)):
            raise self._damaged(shard, "its paths are not in order")

    def _tables(self, columns: Sequence[str], groups: Iterable[_Group]) -> Iterator[Any]:
        for _, of_shard in groupby(groups, key=lambda group: group.shard.name):
            some = list(of_shard)
            with self._opened(some[0].shard) as file:
                for group in some:
                    yield file.read_row_group(group.number, list(columns))

    @contextmanager
    def _opened(self, shard: Shard) -> Iterator[Any]:
        pyarrow, parquet = arrow()
        try:
            with (
                self.storage.open(shard.name) as stream,
                parquet.ParquetFile(stream, page_checksum_verification=True) as file,
            ):
                yield file
        except (OSError, KeyError, pyarrow.ArrowException) as error:
            raise self._damaged(shard, str(error)) from None

    def _damaged(self, shard: Shard, why: str) -> BuildError:
        return BuildError(
            f"{self.storage.address}/{shard.name} is damaged: {why}. Delete it, and have it made "
            "again by the command that made it."
        )


class _ByPath(Mapping[str, _T], Generic[_T]):
    """Something of each image; the group that was asked for last is in memory."""

    def __init__(
        self, shards: Shards, columns: Sequence[str], make: Callable[[tuple[Any, ...]], _T]
    ) -> None:
        self._shards = shards
        self._columns = ("image_path", *columns)
        self._make = make
        self._group = -1
        self._cells: dict[str, tuple[Any, ...]] = {}

    def __getitem__(self, path: str) -> _T:
        group = self._shards.group_of(path)
        if group < 0:
            raise KeyError(path)
        if group != self._group:
            table = self._shards.read(group, self._columns)
            columns = [table.column(name).to_pylist() for name in self._columns]
            self._cells = {row[0]: row[1:] for row in zip(*columns, strict=True)}
            self._group = group
        return self._make(self._cells[path])

    def __iter__(self) -> Iterator[str]:
        return iter(self._shards.paths)

    def __len__(self) -> int:
        return len(self._shards.paths)
