"""Texts to vectors: in order, in any company, of any number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.damage import DamagedError
from models.model_card import ModelCard
from models.text_encoder import TextEncoder, _shares, _with_little_padding, _work
from models.tokenizer import Tokenizer

DEMO = Path(__file__).resolve().parents[2] / "demo" / "model"
TEXTS = ["a fox", "fox " * 60, "", "🦊", "two old bicycles in front of a blue door", "a"] * 8


@pytest.fixture(scope="module", params=[1, 3])
def encoder(request: pytest.FixtureRequest) -> TextEncoder:
    return TextEncoder(DEMO, ModelCard.read(DEMO), threads=request.param)


@pytest.fixture(scope="module")
def ids() -> list[list[int]]:
    return Tokenizer.load(DEMO, ModelCard.read(DEMO)).encode(TEXTS)


def test_vectors_have_length_one(encoder: TextEncoder, ids: list[list[int]]) -> None:
    vectors = encoder.encode(ids)
    assert vectors.shape == (len(TEXTS), encoder.dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_vector_does_not_depend_on_its_company(
    encoder: TextEncoder, ids: list[list[int]]
) -> None:
    alone = np.concatenate([encoder.encode([one]) for one in ids])
    np.testing.assert_allclose(encoder.encode(ids), alone, atol=1e-6)
    order = np.random.default_rng(0).permutation(len(ids))
    shuffled = encoder.encode([ids[place] for place in order])
    np.testing.assert_allclose(shuffled, alone[order], atol=1e-6)


def test_nothing_in_nothing_out(encoder: TextEncoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dim)


@given(st.lists(st.integers(2, 77), max_size=200))
def test_every_row_runs_once_and_little_of_it_is_padding(lengths: list[int]) -> None:
    rows = sorted(range(len(lengths)), key=lengths.__getitem__)
    runs = list(_with_little_padding(lengths, rows))
    assert [row for run in runs for row in run] == rows
    for run in runs:
        longest = max(lengths[row] for row in run)
        assert sum(longest - lengths[row] for row in run) <= 256


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=9), max_size=60), st.integers(1, 8)
)
def test_threads_share_all_rows(token_ids: list[list[int]], threads: int) -> None:
    rows = sorted(range(len(token_ids)), key=lambda row: len(token_ids[row]))
    shares = list(_shares(token_ids, rows, threads))
    assert [row for share in shares for row in share] == rows
    assert len(shares) <= threads


def test_threads_share_the_work_that_is_left_once_beginnings_are_shared() -> None:
    alike = [[*range(9), last] for last in range(100, 160)]
    different = [list(range(first, first + 11)) for first in range(1000, 1200, 10)]
    shares = list(_shares([*alike, *different], list(range(80)), 2))
    # Sixty texts that differ in their last token only are less work than twenty that differ.
    assert [len(share) > 60 for share in shares] == [True, False]


def test_what_is_no_graph_is_named(tmp_path: Path) -> None:
    (tmp_path / "text_encoder.onnx").write_bytes(b"no graph")
    with pytest.raises(DamagedError, match=r"text_encoder\.onnx"):
        TextEncoder(tmp_path, ModelCard.read(DEMO))


def test_a_run_ends_where_padding_costs_more_than_another() -> None:
    assert list(_with_little_padding([], [])) == []
    # 64 of a length share a run.
    assert [len(run) for run in _with_little_padding([5] * 130, list(range(130)))] == [64, 64, 2]
    # 256 tokens of padding are worth it, and not one more.
    assert list(_with_little_padding([1, 257], [0, 1])) == [[0, 1]]
    assert list(_with_little_padding([1, 258], [0, 1])) == [[0], [1]]
    assert list(_with_little_padding([1, 129, 129], [0, 1, 2])) == [[0, 1, 2]]
    assert list(_with_little_padding([1, 1, 129, 130], [0, 1, 2, 3])) == [[0, 1, 2], [3]]


def test_work_is_what_the_tokens_of_a_tree_cost_and_each_text_for_itself() -> None:
    token_ids = [[1, 2], [1, 2], [1, 3], [4], []]
    assert _work(token_ids, [0, 1, 2, 3, 4]) == [3, 4, 6, 8, 9]
    assert _work(token_ids, [3, 0]) == [2, 5]


def test_little_work_wakes_no_other_thread() -> None:
    def shares(texts: int, threads: int) -> list[int]:
        token_ids = [[10 * text + token for token in range(5)] for text in range(texts)]
        return [len(share) for share in _shares(token_ids, list(range(texts)), threads)]

    # Six tokens' worth each; two threads are woken for 48 of it.
    assert shares(7, 2) == [7]
    assert shares(8, 2) == [4, 4]
    assert shares(8, 1) == [8]
    assert shares(12, 3) == [4, 4, 4]
    assert shares(24, 3) == [8, 8, 8]
    assert shares(32, 4) == [8, 8, 8, 8]
    assert shares(1, 4) == [1]


@pytest.mark.parametrize("threads", [1, 3])
def test_an_encoder_has_threads_of_its_own_where_it_may(threads: int) -> None:
    encoder = TextEncoder(DEMO, ModelCard.read(DEMO), threads=threads)
    options = encoder._session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert (encoder._pool is not None) == (threads > 1)
    assert encoder._pool is None or encoder._pool._max_workers == threads
    assert encoder._session.get_providers() == ["CPUExecutionProvider"]
