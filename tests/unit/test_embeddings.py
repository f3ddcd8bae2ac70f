"""The vectors as they are: written, mapped, checked row by row."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import models.embeddings
import models.folder
from models.arrays import read_array
from models.embeddings import Embeddings, Positions, Vectors, checksums_of
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
        read_array(content, np.dtype("<f4"), Path("/b/x"))
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


# Of a bundle that was changed: 50 rows, 8 more, and where 40 images lie in them.
MORE = np.random.default_rng(5).standard_normal((8, 6)).astype(np.float32)
ROW_OF = np.random.default_rng(6).permutation(58)[:40].astype("<u4")
OF_CHANGED = (*NAMES, "embeddings.changed.npy", "rows.npy")


def change(folder: Path, row_of: NDArray[np.generic] = ROW_OF, more: Vectors = MORE) -> None:
    Embeddings(ROWS).save(folder)
    np.save(folder / "embeddings.checksums.npy", checksums_of(np.vstack([ROWS, more])))
    np.save(folder / "embeddings.changed.npy", more)
    np.save(folder / "rows.npy", row_of)


def opened(folder: Path, names: Sequence[str] = OF_CHANGED) -> Embeddings:
    files = Folder(folder)
    files.open(record_files(folder, names))
    return Embeddings.load(files)


@pytest.fixture(params=[False, True], ids=["in memory", "mapped"])
def mapped(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param:
        # Of the vectors' files neither is small enough; checksums and rows are read all the same.
        monkeypatch.setattr(Folder, "in_memory", lambda *_: False)
    return bool(request.param)


@pytest.mark.usefixtures("mapped")
def test_a_changed_bundle_has_its_vectors_in_two_files(tmp_path: Path) -> None:
    change(tmp_path)
    embeddings = opened(tmp_path)
    expected = np.vstack([ROWS, MORE])[ROW_OF]
    assert (len(embeddings), embeddings.unchanged, embeddings.row_count) == (40, 50, 58)
    some = np.array([39, 0, 7, 7, 12])
    assert (embeddings.rows(some) == expected[some]).all()
    assert (embeddings.row(3) == expected[3]).all()
    alone = [embeddings.products(ROWS[5], np.array([one]))[0] for one in some]
    assert embeddings.products(ROWS[5], some).tolist() == alone
    np.testing.assert_allclose(alone, expected[some] @ ROWS[5], rtol=1e-5)
    assert embeddings.products(ROWS[5], some[:0]).shape == (0,)


@pytest.mark.usefixtures("mapped")
def test_nothing_need_have_come(tmp_path: Path) -> None:
    change(tmp_path, ROW_OF[ROW_OF < 50], MORE[:0])
    embeddings = opened(tmp_path)
    everything = np.arange(len(embeddings))
    assert (embeddings.rows(everything) == ROWS[ROW_OF[ROW_OF < 50]]).all()


def test_damage_to_what_has_come_is_found_when_it_is_used(tmp_path: Path, mapped: bool) -> None:
    change(tmp_path)
    altered = MORE.copy()
    altered[2, 1] += 1
    np.save(tmp_path / "embeddings.changed.npy", altered)
    embeddings = opened(tmp_path)
    position = int(np.flatnonzero(ROW_OF == 52)[0])
    if not mapped:
        assert (embeddings.row(position) == altered[2]).all()
        return
    assert (embeddings.row(int(np.flatnonzero(ROW_OF != 52)[0])) != altered[2]).any()
    said = f"{tmp_path / 'embeddings.changed.npy'} is damaged: the vector at 2. Build it again."
    # That the other file is whole says nothing of this one.
    embeddings.trust()
    with pytest.raises(DamagedError, match=re.escape(said)):
        embeddings.products(ROWS[0], np.arange(40))
    embeddings.trust("embeddings.changed.npy")
    assert (embeddings.row(position) == altered[2]).all()


@pytest.mark.parametrize(
    ("row_of", "names", "said"),
    [
        (ROW_OF + np.uint32(58), OF_CHANGED, "rows.npy names rows that are not there"),
        (ROW_OF[:, np.newaxis], OF_CHANGED, "rows.npy names rows that are not there"),
        (ROW_OF.astype("<i8"), OF_CHANGED, "rows.npy is no array of vectors: it holds int64"),
        (ROW_OF, OF_CHANGED[:3], "embeddings.npy and its rows do not fit together"),
        (ROW_OF, (*NAMES, "rows.npy"), "embeddings.npy and its checksums do not fit together"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    tmp_path: Path, row_of: NDArray[np.generic], names: Sequence[str], said: str
) -> None:
    change(tmp_path, row_of)
    with pytest.raises(DamagedError, match=re.escape(said)):
        opened(tmp_path, names)
