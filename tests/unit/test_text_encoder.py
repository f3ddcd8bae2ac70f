"""Texts to vectors: in order, in any company, of any number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.manifest import DamagedError, ModelCard
from models.text_encoder import TextEncoder, _shares, _with_little_padding
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
