"""The vectors as they are: written, mapped, checked row by row."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import models.embeddings
import models.folder
from models.embeddings import Embeddings, Positions, Vectors, _array, checksums_of
from models.folder import Folder
from models.manifest import DamagedError, record_files

ROWS = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32)
NAMES = ("embeddings.npy", "embeddings.checksums.npy")


def loaded(folder: Path) -> Embeddings:
    files = Folder(folder)
    files.open(record_files(folder, NAMES))
    return Embeddings.load(files)


@pytest.fixture(params=[True, False], ids=["in memory", "mapped"])
def in_memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if not request.param:
        # The checksums are small enough still.
        monkeypatch.setattr(models.folder, "IN_MEMORY_UP_TO", 50 * 8 + 128)
    return bool(request.param)


def splitmix64() -> Iterator[int]:
    """As its authors publish it, from the seed 0."""
    state = 0
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        mixed = state
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB % 2**64
        yield mixed ^ (mixed >> 31)


def by_hand(row: NDArray[np.float32]) -> int:
    words = struct.unpack(f"<{len(row)}I", struct.pack(f"<{len(row)}f", *row.tolist()))
    return sum(word * (each | 1) for word, each in zip(words, splitmix64(), strict=False)) % 2**64


def test_the_factors_are_those_that_are_published() -> None:
    """The first numbers of the reference implementation: prng.di.unimi.it/splitmix64.c."""
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]
    assert [number for number, _ in zip(splitmix64(), published, strict=False)] == published


def test_every_flipped_bit_shows() -> None:
    expected = checksums_of(ROWS)
    for bit in range(ROWS.shape[1] * 32):
        words = ROWS.copy().view("<u4")
        words[:, bit // 32] ^= np.uint32(1 << bit % 32)
        assert (checksums_of(words.view("<f4")) != expected).all()
    # So do words that have changed places, and rows.
    assert (checksums_of(ROWS[:, ::-1]) != expected).all()
    assert len(set(expected.tolist())) == len(ROWS)


@pytest.mark.parametrize("dim", [1, 6, 511])
def test_a_checksum_does_not_depend_on_how_many_are_made(
    dim: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.random.default_rng(1).standard_normal((30, dim)).astype(np.float32)
    expected = [by_hand(row) for row in rows]
    for at_once in (1, 7, 30, 31):
        monkeypatch.setattr(models.embeddings, "_AT_ONCE", at_once)
        assert checksums_of(rows).tolist() == expected
        assert checksums_of(rows, np.array([9, 2, 2])).tolist() == [expected[n] for n in (9, 2, 2)]


@pytest.mark.usefixtures("in_memory")
def test_vectors_come_back_as_they_went_in(tmp_path: Path) -> None:
    assert Embeddings(ROWS).save(tmp_path) == NAMES
    checksums = np.load(tmp_path / NAMES[1])
    assert checksums.dtype == np.dtype("<u8")
    assert checksums.tolist() == [by_hand(row) for row in ROWS]
    embeddings = loaded(tmp_path)
    assert len(embeddings) == 50
    assert embeddings.dim == 6
    for position in (0, 7, 49):
        row = embeddings.row(position)
        assert (row == ROWS[position]).all()
        # The caller's own, to be altered at will.
        row[:] = 0
        assert (embeddings.row(position) == ROWS[position]).all()
    some = np.array([49, 3, 3])
    expected = ROWS[some] @ ROWS[5]
    np.testing.assert_allclose(embeddings.products(ROWS[5], some), expected, rtol=1e-5)
    assert embeddings.products(ROWS[5], some[:0]).shape == (0,)
    assert (embeddings.rows(some) == ROWS[some]).all()


def test_a_row_that_was_altered_is_found_when_it_is_used_and_not_before(
    tmp_path: Path, in_memory: bool
) -> None:
    Embeddings(ROWS).save(tmp_path)
    altered = ROWS.copy()
    altered[7, 3] += 1
    np.save(tmp_path / NAMES[0], altered)
    embeddings = loaded(tmp_path)
    if in_memory:
        # The whole file was hashed instead.
        assert embeddings.row(7).tolist() == altered[7].tolist()
        return
    embeddings.products(ROWS[0], np.array([6, 8]))
    said = f"{tmp_path / NAMES[0]} is damaged: the vector at 7. Build it again."
    for use in (
        lambda: embeddings.row(7),
        lambda: embeddings.rows(np.arange(9)),
        lambda: embeddings.products(ROWS[0], np.arange(9)),
    ):
        with pytest.raises(DamagedError) as damaged:
            use()
        assert str(damaged.value) == said
    embeddings.trust()
    assert embeddings.row(7).tolist() == altered[7].tolist()


def test_a_row_is_checked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[int] = []

    def noting(rows: Vectors, positions: Positions) -> NDArray[np.uint64]:
        checked.extend(positions.tolist())
        return checksums_of(rows, positions)

    embeddings = Embeddings(ROWS, checksums_of(ROWS), tmp_path)
    monkeypatch.setattr(models.embeddings, "checksums_of", noting)
    embeddings.row(4)
    embeddings.row(4)
    embeddings.products(ROWS[0], np.array([3, 4, 5]))
    embeddings.products(ROWS[0], np.array([3, 4, 5]))
    assert checked == [4, 3, 5]
    Embeddings(ROWS).row(4)
    assert checked == [4, 3, 5]


def saved(array: NDArray[np.generic], version: tuple[int, int] = (1, 0)) -> bytes:
    output = io.BytesIO()
    np.lib.format.write_array(output, array, version=version)
    return output.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nonsense", "/b/x is no array of vectors: .*"),
        (saved(ROWS, (2, 0)), r"/b/x is no array of vectors: it is of another version\. .*"),
        (saved(ROWS.astype("<f8")), r"/b/x is no array of vectors: it holds float64\. .*"),
        (saved(np.asfortranarray(ROWS)), r"/b/x is no array of vectors: it holds float32\. .*"),
        (saved(ROWS)[:-1], "/b/x is no array of vectors: .* Build it again."),
    ],
)
def test_what_is_no_array_of_vectors_is_named(content: bytes, said: str) -> None:
    with pytest.raises(DamagedError) as damaged:
        _array(content, np.dtype("<f4"), Path("/b/x"))
    assert re.fullmatch(said, str(damaged.value))
    assert str(damaged.value).endswith(". Build it again.")


@pytest.mark.usefixtures("in_memory")
@pytest.mark.parametrize("checksums", [np.zeros(49, "<u8"), np.zeros((50, 1), "<u8")])
def test_as_many_checksums_as_vectors(tmp_path: Path, checksums: NDArray[np.uint64]) -> None:
    Embeddings(ROWS).save(tmp_path)
    np.save(tmp_path / NAMES[1], checksums)
    with pytest.raises(DamagedError) as damaged:
        loaded(tmp_path)
    assert str(damaged.value) == (
        f"{tmp_path / NAMES[0]} and its checksums do not fit together. Build it again."
    )
