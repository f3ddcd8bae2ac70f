"""The vector index: exact, approximate, filtered."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import models.coded_search
import models.folder
import models.tuning
import models.vector_index
from models.checksums import record_files
from models.coded_scan import CodedScan
from models.damage import DamagedError
from models.embeddings import Embeddings
from models.folder import Folder
from models.index_file import METRICS, Metric
from models.manifest import IndexFacts
from models.projection import Projection
from models.ranking import best_of, stacked
from models.vector_index import VectorIndex


def unit_vectors(count: int, dim: int = 32, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def written_and_read(
    built: VectorIndex, folder: Path, facts: IndexFacts | None = None
) -> VectorIndex:
    """The index as it comes back from a folder."""
    opened = Folder(folder)
    opened.open(record_files(folder, built.save(folder)))
    return VectorIndex.load(opened, facts or built.facts, built.mean())


def truly_nearest(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], k: int
) -> NDArray[np.int64]:
    return np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_exact_search_is_exact_and_gives_cosines(metric: Metric) -> None:
    vectors, queries = unit_vectors(500), unit_vectors(40, seed=1)
    similarities, positions = VectorIndex.build(vectors, metric).search(queries, 7)
    assert (positions == truly_nearest(queries, vectors, 7)).all()
    cosines = np.take_along_axis(queries @ vectors.T, positions, axis=1)
    np.testing.assert_allclose(similarities, cosines, atol=1e-6)


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_one_by_one_gives_what_a_batch_gives(metric: Metric) -> None:
    vectors = np.repeat(unit_vectors(60), 3, axis=0)  # every image thrice: ties everywhere
    queries = unit_vectors(64, seed=1)
    index = VectorIndex.build(vectors, metric)
    _, together = index.search(queries, 9)
    alone = np.concatenate([index.search(query[None], 9)[1] for query in queries])
    assert (together == alone).all()


@pytest.mark.parametrize("among", [None, np.arange(0, 3000, 2)])
def test_what_fewer_give_is_the_beginning_of_what_more_give(
    monkeypatch: pytest.MonkeyPatch, among: NDArray[np.int64] | None
) -> None:
    """Beyond the candidates, too."""
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 1000)
    monkeypatch.setattr(models.tuning, "CANDIDATES", (64,))
    vectors, queries = unit_vectors(3000), unit_vectors(8, seed=1)
    index = VectorIndex.build(vectors, "ip", queries)
    similarities, all_of_them = index.search(queries, 500, among)
    for k in (10, 63, 64, 65, 200, 256, 257):
        _, some = index.search(queries, k, among)
        assert (some == all_of_them[:, :k]).all(), k
    for query, row, told in zip(queries, all_of_them, similarities, strict=True):
        assert len(set(row.tolist()) - {-1}) == 500
        np.testing.assert_allclose(told, vectors[row] @ query, atol=1e-6)


def test_a_filter_keeps_to_its_positions() -> None:
    vectors, queries = unit_vectors(500), unit_vectors(3, seed=1)
    among = np.array([3, 50, 77, 401])
    similarities, positions = VectorIndex.build(vectors, "ip").search(queries, 6, among)
    assert (np.sort(positions[:, :4]) == among).all()
    assert (positions[:, 4:] == -1).all()
    assert np.isneginf(similarities[:, 4:]).all()


def test_an_empty_filter_finds_nothing() -> None:
    index = VectorIndex.build(unit_vectors(10), "ip")
    _, positions = index.search(unit_vectors(2), 3, np.empty(0, dtype=np.int64))
    assert (positions == -1).all()


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_an_approximate_index_is_tuned_and_says_how(
    metric: Metric, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 1000)
    vectors, queries = unit_vectors(3000), unit_vectors(200, seed=1)
    built = VectorIndex.build(vectors, metric, queries)
    assert built.facts.kind == "projected-pq"
    assert "text queries" in built.facts.tuned_with
    index = written_and_read(built, tmp_path)
    _, positions = index.search(queries, 10)
    true = truly_nearest(queries, vectors, 10)
    recall = np.mean([len(np.intersect1d(a, b)) for a, b in zip(true, positions, strict=True)]) / 10
    assert recall == pytest.approx(built.facts.recall_at_10, abs=0.02)
    assert recall >= 0.97

    among = np.arange(0, 3000, 7)
    _, positions = index.search(queries, 5, among)
    assert (positions == among[truly_nearest(queries, vectors[among], 5)]).all()


def test_an_answer_does_not_depend_on_how_many_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 1000)
    vectors, queries = unit_vectors(3000), unit_vectors(50, seed=1)
    index = VectorIndex.build(vectors, "ip", queries)
    _, many = index.search(queries, 100)
    for k in (1, 3, 7, 10):
        assert (index.search(queries, k)[1] == many[:, :k]).all()
    alone = np.concatenate([index.search(query[None], 7)[1] for query in queries])
    assert (alone == many[:, :7]).all()


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_a_vector_comes_back_as_it_went_in(
    metric: Metric, coded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 100 if coded else 1000)
    vectors = unit_vectors(1000)
    built = VectorIndex.build(vectors, metric)
    index = written_and_read(built, tmp_path)
    assert len(index) == 1000
    assert (index.reconstruct(13) == vectors[13]).all()


def test_the_mean_is_that_of_all_vectors(tmp_path: Path) -> None:
    vectors = unit_vectors(300) + 1
    built = VectorIndex.build(vectors, "ip")
    np.testing.assert_allclose(built.mean(), vectors.mean(axis=0), atol=1e-6)
    assert (written_and_read(built, tmp_path).mean() == built.mean()).all()


def test_equals_at_the_border_are_those_that_lie_first(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.repeat(unit_vectors(60), 20, axis=0)
    queries = unit_vectors(64, seed=1)
    positions = np.arange(0, len(vectors), 2)
    for exact_up_to in (2000, 1000):
        monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", exact_up_to)
        index = VectorIndex.build(vectors, "ip")
        _, many = index.search(queries, 60)
        best = queries @ vectors[::20].T
        assert (many[:, 0] == best.argmax(axis=1) * 20).all()
        for k in range(1, 50, 7):
            assert (index.search(queries, k)[1] == many[:, :k]).all()
            for row in (0, 17):
                assert (index.search(queries[row : row + 1], k)[1] == many[row, :k]).all()
        _, kept = index.search(queries, 10, positions)
        assert (kept == (best.argmax(axis=1) * 20)[:, None] + np.arange(0, 20, 2)).all()


def test_what_differs_in_the_last_bits_only_is_equal() -> None:
    cosines = np.array([0.5, 0.5 + 2e-7, 0.5 - 1e-7, 0.7], dtype=np.float32)
    _, found = best_of(cosines, np.array([3, 9, 1, 12]), 3)
    assert found.tolist() == [12, 1, 3]


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_nor_does_an_exact_search_tell_them_apart(metric: Metric) -> None:
    cosines = np.array([0.5, 0.5 + 2e-7, 0.5 - 1e-7, 0.7, 0.5 + 3e-7, 0.1])
    vectors = np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1).astype(np.float32)
    query = np.array([[1, 0]], dtype=np.float32)
    index = VectorIndex.build(vectors, metric)
    for k in range(1, 6):
        assert index.search(query, k)[1].tolist() == [[3, 0, 1, 2, 4][:k]]


@pytest.mark.parametrize("metric", ["ip", "l2"])
@pytest.mark.parametrize("near", [True, False])
def test_among_many_that_a_filter_keeps_the_nearest_are_found(
    metric: Metric, near: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By way of the codes; or, where all that is kept lies far from the query, without them."""
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 1000)
    monkeypatch.setattr(models.coded_search, "_KEPT_CANDIDATES", 300)
    vectors, queries = unit_vectors(6000), unit_vectors(20, seed=1)
    index = VectorIndex.build(vectors, metric, queries)
    asked: list[int] = []
    products = type(index.embeddings).products
    monkeypatch.setattr(
        type(index.embeddings),
        "products",
        lambda self, query, some: (asked.append(len(some)), products(self, query, some))[1],
    )
    for query in queries:
        order = np.argsort(vectors @ query)
        among = np.sort(order[-3000:] if near else order[:3000])
        true = among[truly_nearest(query[None], vectors[among], 10)[0]]
        assert index.search(query[None], 10, among)[1].tolist() == [true.tolist()]
    assert max(asked) < 1500 if near else min(asked) == 3000


def test_a_search_among_many_weighs_as_much_as_one_among_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors = unit_vectors(6000)
    flat = VectorIndex.build(vectors, "ip")
    assert not any(map(flat.is_slow_among, (0, 10, 6000)))
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 1000)
    codes = VectorIndex.build(vectors, "ip")
    # A quarter of 6000 codes of 16 parts takes as long to scan as 1.7 vectors to compare.
    assert not any(map(codes.is_slow_among, (0, 1)))
    assert all(map(codes.is_slow_among, (2, 1000, 6000)))
    # Among most of many, by codes, which takes more than the scan of them.
    monkeypatch.setattr(models.coded_search, "_COMPARE", 1e9)
    assert codes.is_slow_among(6000)


@pytest.mark.parametrize(
    "name", ["index.faiss", "projection.npy", "embeddings.npy", "embeddings.checksums.npy"]
)
@pytest.mark.parametrize("mapped", [True, False])
def test_damage_is_found_before_it_is_used(
    name: str, mapped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 100)
    monkeypatch.setattr(models.folder, "IN_MEMORY_UP_TO", 1000 if mapped else 1 << 30)
    vectors = unit_vectors(1000)
    built = VectorIndex.build(vectors, "ip")
    files = record_files(tmp_path, built.save(tmp_path))
    assert set(files) == {
        *("index.faiss", "projection.npy", "embeddings.npy"),
        *("embeddings.checksums.npy", "tuning.npz"),
    }
    content = bytearray((tmp_path / name).read_bytes())
    content[-70] ^= 1
    (tmp_path / name).write_bytes(content)
    folder = Folder(tmp_path)
    folder.open(files)
    if name != "embeddings.npy" or not mapped:
        with pytest.raises(DamagedError, match=rf"{name} is damaged: its SHA-256"):
            VectorIndex.load(folder, built.facts, built.mean())
        return
    index = VectorIndex.load(folder, built.facts, built.mean())
    assert (index.reconstruct(998) == vectors[998]).all()
    for read in (
        lambda: index.reconstruct(999),
        lambda: index.search(vectors[999:], 1),
        lambda: index.search(vectors[:1], 1, np.array([5, 999])),
    ):
        with pytest.raises(DamagedError, match=r"embeddings\.npy is damaged: the vector at 999"):
            read()


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (IndexFacts(kind="flat", metric="l2"), "another metric than l2"),
        (IndexFacts(kind="pq", metric="ip"), "no index of the kind pq"),
    ],
)
def test_an_index_is_what_the_manifest_says(tmp_path: Path, facts: IndexFacts, told: str) -> None:
    built = VectorIndex.build(unit_vectors(20), "ip")
    with pytest.raises(DamagedError, match=told):
        written_and_read(built, tmp_path, facts)


@pytest.mark.parametrize(
    ("put", "told"),
    [
        (
            lambda folder: VectorIndex.build(unit_vectors(999), "ip").embeddings.save(folder),
            "does not fit its vectors",
        ),
        # Of fewer axes than the codes have, and of as many but for wider vectors.
        (lambda folder: projection(30).save(folder), "does not fit its projection"),
        (lambda folder: projection(33).save(folder), "does not fit its vectors"),
    ],
)
def test_a_file_of_another_index_is_refused(
    put: Callable[[Path], object], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 100)
    built = VectorIndex.build(unit_vectors(1000), "ip")
    names = built.save(tmp_path)
    put(tmp_path)
    folder = Folder(tmp_path)
    folder.open(record_files(tmp_path, names))
    with pytest.raises(DamagedError, match=rf"index\.faiss {told}"):
        VectorIndex.load(folder, built.facts, built.mean())


def projection(dim: int) -> Projection:
    return Projection.learn(unit_vectors(200, dim), unit_vectors(0, dim))


def test_what_is_no_index_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.faiss").write_bytes(b"no index at all")
    folder = Folder(tmp_path)
    folder.open(record_files(tmp_path, ["index.faiss"]))
    built = VectorIndex.build(unit_vectors(2), "ip")
    with pytest.raises(DamagedError, match=r"index\.faiss is no FAISS index"):
        VectorIndex.load(folder, built.facts, built.mean())


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_a_similarity_is_the_same_to_the_last_bit_in_any_company(metric: Metric) -> None:
    random = np.random.default_rng(5)
    vectors = random.standard_normal((9000, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = np.ascontiguousarray(vectors[:64] + vectors[64:128])
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    index = VectorIndex.build(vectors, metric)
    together, _ = index.search(queries, 100)
    alone = [index.search(queries[row : row + 1], 100)[0][0] for row in range(64)]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("coded", [False, True])
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_of_hostile_making_is_refused_or_harmless(
    coded: bool, tmp_path: Path, data: st.DataObject
) -> None:
    """FAISS itself would read beyond the end of some of these."""
    count = 200
    vectors = unit_vectors(count, dim=16)
    folder = tmp_path / str(coded)
    if not folder.exists():
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(models.vector_index, "EXACT_UP_TO", 100 if coded else 1000)
            built = VectorIndex.build(vectors, "ip")
        built.save(folder)
        (folder / "true.faiss").write_bytes((folder / "index.faiss").read_bytes())
    content = bytearray((folder / "true.faiss").read_bytes())
    # What FAISS says of an index stands before and behind its numbers.
    places = st.integers(0, 44)
    if coded:
        places |= st.integers(45, 119) | st.integers(len(content) - 120, len(content) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    (folder / "index.faiss").write_bytes(content)
    opened = Folder(folder)
    others = ("projection.npy", "embeddings.npy", "embeddings.checksums.npy") if coded else ()
    opened.open(record_files(folder, ("index.faiss", *others)))
    facts = IndexFacts(kind="projected-pq" if coded else "flat", metric="ip")
    facts = facts.model_copy(update={"search_parameters": {"candidates": 44} if coded else {}})
    try:
        index = VectorIndex.load(opened, facts, vectors.mean(axis=0))
    except DamagedError:
        return
    _, positions = index.search(unit_vectors(3, dim=16, seed=1), 5)
    assert positions.shape == (3, 5)
    assert positions.max() < max(len(index), 1)


def test_an_index_of_another_make_is_refused(tmp_path: Path) -> None:
    vectors = unit_vectors(500)
    for other in (faiss.IndexPQ(32, 16, 4), faiss.IndexHNSWFlat(32, 8), faiss.IndexLSH(32, 64)):
        other.metric_type = faiss.METRIC_INNER_PRODUCT
        other.train(vectors)
        other.add(vectors)
        faiss.write_index(other, str(tmp_path / "index.faiss"))
        for kind in ("flat", "pq"):
            opened = Folder(tmp_path)
            opened.open(record_files(tmp_path, ("index.faiss",)))
            with pytest.raises(DamagedError, match=f"no index of the kind {kind}"):
                VectorIndex.load(opened, IndexFacts(kind=kind, metric="ip"), vectors[0])


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_what_kind_of_index_it_is_is_told(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 100)
    vectors, queries = unit_vectors(101), unit_vectors(30, seed=1)
    exact = VectorIndex.build(vectors[:100], metric)
    assert exact.facts == IndexFacts(kind="flat", metric=metric)
    for asked, tuned_with in [
        (queries, "15 text queries"),
        (None, "101 of the images' own vectors"),
    ]:
        codes = VectorIndex.build(vectors, metric, asked)
        assert codes.facts == IndexFacts(
            kind="projected-pq",
            metric=metric,
            search_parameters={"candidates": 512},
            recall_at_10=1.0,
            tuned_with=tuned_with,
        )
        np.testing.assert_allclose(codes.mean(), vectors.mean(axis=0), atol=1e-6)
        assert codes.mean().dtype == np.float32
        assert (len(codes), codes.dim) == (101, 32)
        assert (codes.reconstruct(7) == vectors[7]).all()


def test_the_fewest_candidates_are_taken_that_find_99_of_100(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors, queries = unit_vectors(3000), unit_vectors(600, seed=1)
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 100)
    monkeypatch.setattr(models.tuning, "CANDIDATES", (10, 40, 3000))
    facts = VectorIndex.build(vectors, "ip", queries).facts
    assert facts.search_parameters == {"candidates": 3000}
    assert facts.recall_at_10 == 1.0
    # The others are what the index has learnt from.
    assert facts.tuned_with == "300 text queries"
    # None of these does: what the most of them find is told.
    monkeypatch.setattr(models.tuning, "CANDIDATES", (10, 40))
    index = VectorIndex.build(vectors, "ip", queries)
    assert index.facts.search_parameters == {"candidates": 40}
    _, found = index.search(queries, 10)
    true = truly_nearest(queries, vectors, 10)
    recall = np.mean([len({*a} & {*b}) for a, b in zip(true.tolist(), found.tolist(), strict=True)])
    assert index.facts.recall_at_10 == pytest.approx(recall / 10, abs=0.02)
    assert index.facts.recall_at_10 < 0.99


def test_the_best_of_some_are_cut_to_k_with_all_that_equal_the_last() -> None:
    cosines = np.array([0.5, 0.9, 0.5, 0.5, 0.1], dtype=np.float32)
    positions = np.array([8, 3, 2, 5, 1])
    for k, expected in [(1, [3]), (2, [3, 2]), (3, [3, 2, 5]), (4, [3, 2, 5, 8])]:
        scores, found = best_of(cosines, positions, k)
        assert found.tolist() == expected
        assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    assert best_of(cosines, positions, 9)[1].tolist() == [3, 2, 5, 8, 1]


def test_what_is_not_found_is_filled_up() -> None:
    rows = [(np.array([0.5], dtype=np.float32), np.array([7])), (np.empty(0), np.empty(0))]
    cosines, positions = stacked(rows, 2)
    assert positions.tolist() == [[7, -1], [-1, -1]]
    assert cosines.tolist() == [[0.5, -np.inf], [-np.inf, -np.inf]]
    assert (cosines.dtype, positions.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("copies", [1, 30, 200])
def test_of_many_equals_the_first_are_found_however_many_there_are(copies: int) -> None:
    """More than are looked at beside the k best: then more are looked at."""
    vectors = np.repeat(unit_vectors(3), copies, axis=0)
    index = VectorIndex.build(vectors, "ip")
    for seed in range(3):
        query = unit_vectors(1, seed=seed + 5)
        order = np.argsort(-(unit_vectors(3) @ query[0]))
        expected = [row * copies + copy for row in order for copy in range(copies)]
        for k in (1, 2, copies, copies + 1, 3 * copies):
            assert index.search(query, k)[1][0].tolist() == expected[:k] + [-1] * (k - 3 * copies)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (
            IndexFacts(kind="flat", metric="l2"),
            "has another metric than l2. Build it again.",
        ),
        (IndexFacts(kind="pq", metric="ip"), "is no index of the kind pq. Build it again."),
    ],
)
def test_an_index_of_another_kind_is_refused_in_words(
    tmp_path: Path, facts: IndexFacts, said: str
) -> None:
    with pytest.raises(DamagedError) as refused:
        written_and_read(VectorIndex.build(unit_vectors(50), "ip"), tmp_path, facts)
    assert str(refused.value) == f"{tmp_path / 'index.faiss'} {said}"


def test_only_codes_need_their_vectors_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = unit_vectors(101)
    assert VectorIndex.build(vectors, "ip").save(tmp_path) == ("index.faiss",)
    assert [path.name for path in tmp_path.iterdir()] == ["index.faiss"]
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 100)
    names = VectorIndex.build(vectors, "ip").save(tmp_path)
    assert names == (
        *("index.faiss", "projection.npy", "embeddings.npy"),
        *("embeddings.checksums.npy", "tuning.npz"),
    )
    assert {path.name for path in tmp_path.iterdir()} == set(names)


_WATCHED = """
import importlib, os, sys

class Watch:
    def find_spec(self, name, path, target=None):
        if name == "faiss":
            print(os.environ.get("OMP_WAIT_POLICY"))

sys.meta_path.insert(0, Watch())
importlib.import_module(sys.argv[1])
"""


@pytest.mark.parametrize(
    "module",
    ["models.collection", "models.embeddings", "models.codes", "serving.engine", "serving.app"],
)
def test_openmp_is_told_to_wait_before_faiss_is_loaded(module: str) -> None:
    """Whatever is imported first: it is read once, and threads that spin keep a core busy."""
    environment = {name: told for name, told in os.environ.items() if name != "OMP_WAIT_POLICY"}
    ran = subprocess.run(
        [sys.executable, "-c", _WATCHED, module],
        env=environment,
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "passive\n"


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_codes_of_whole_vectors_as_an_earlier_release_made_them_are_read(
    metric: Metric, tmp_path: Path
) -> None:
    vectors, queries = unit_vectors(400), unit_vectors(20, seed=1)
    codes = faiss.IndexPQFastScan(32, 16, 4, METRICS[metric], 64)
    codes.train(vectors)
    codes.add(vectors)
    facts = IndexFacts(kind="pq", metric=metric, search_parameters={"candidates": 512})
    built = VectorIndex(CodedScan(codes, None), facts, vectors[0], Embeddings(vectors))
    index = written_and_read(built, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("index.faiss", "embeddings.npy", "embeddings.checksums.npy"),
    }
    assert (index.search(queries, 7)[1] == truly_nearest(queries, vectors, 7)).all()
    other = facts.model_copy(update={"metric": "l2" if metric == "ip" else "ip"})
    with pytest.raises(DamagedError, match=f"another metric than {other.metric}"):
        written_and_read(built, tmp_path, other)


def test_no_query_is_both_learnt_from_and_measured_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 100)
    learnt: list[NDArray[np.float32]] = []
    learn = Projection.learn
    monkeypatch.setattr(
        Projection, "learn", lambda images, texts: (learnt.append(texts), learn(images, texts))[1]
    )
    measured: list[NDArray[np.float32]] = []
    nearest = VectorIndex.nearest
    monkeypatch.setattr(
        VectorIndex,
        "nearest",
        lambda self, queries, count: (measured.append(queries), nearest(self, queries, count))[1],
    )
    queries = unit_vectors(41, seed=1)
    VectorIndex.build(unit_vectors(300), "ip", queries)
    assert len(learnt[0]) == 20
    both = np.vstack([learnt[0], measured[0]])
    assert sorted(map(bytes, both)) == sorted(map(bytes, queries))
    # Of very many some: they lie in the bundle.
    monkeypatch.setattr(models.vector_index, "MOST_TEXTS", 30)
    VectorIndex.build(unit_vectors(300), "ip", queries)
    assert len(learnt[1]) == len(measured[-1]) == 15
