"""Which parts of a text tower stay in fp32, and that a mix computes what either does."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from build.export.precision import Mix, fastest_mix, finer_parts
from build.export.probe import Probe, probe_texts
from build.export.quantise import TOKENS, linears, quantise, quantise_table
from build.export.text_graph import text_graph
from build.export.text_tower import Block, Linear, Norm, TextTower
from build.export.verify import verification_queries, verification_texts
from models.file_names import TEXT_ENCODER
from models.text_encoder import TextEncoder
from tests.documents import card

WIDTH = 64
CONTEXT = 16
END = 99
BLOCKS = 3
LEAST_COSINE = 0.999


def made_tower(causal: bool, seed: int = 0) -> TextTower:
    chance = np.random.default_rng(seed)

    def array(*shape: int) -> NDArray[np.float32]:
        return (chance.normal(0, shape[0] ** -0.5, shape)).astype(np.float32)

    def linear(inputs: int, outputs: int) -> Linear:
        return Linear(array(inputs, outputs), array(outputs) * np.float32(0.1))

    def norm() -> Norm:
        return Norm(np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32), 1e-5)

    blocks = [
        Block(
            norm_1=norm(),
            qkv=linear(WIDTH, 3 * WIDTH),
            out=linear(WIDTH, WIDTH),
            norm_2=norm(),
            up=linear(WIDTH, 4 * WIDTH),
            down=linear(4 * WIDTH, WIDTH),
        )
        for _ in range(BLOCKS)
    ]
    return TextTower(
        tokens=array(END + 1, WIDTH) * np.float32(10),
        positions=array(CONTEXT, WIDTH),
        blocks=blocks,
        final_norm=norm(),
        projection=linear(WIDTH, 32),
        heads=4,
        activation="gelu" if causal else "quick_gelu",
        causal=causal,
        pooling="argmax" if causal else "last",
        end_id=None,
    )


def made_texts(causal: bool, count: int, seed: int = 1) -> list[list[int]]:
    """Ids of texts of mixed lengths; of full length where the tower is not causal."""
    chance = np.random.default_rng(seed)
    lengths = chance.integers(2, CONTEXT + 1, count)
    texts = [[1, *chance.integers(2, END, length - 2).tolist(), END] for length in lengths]
    return texts if causal else [ids + [0] * (CONTEXT - len(ids)) for ids in texts]


Load = Callable[[Mix], TextEncoder]


@pytest.fixture
def encoder(tmp_path: Path) -> Load:
    def load(mix: Mix) -> TextEncoder:
        onnx.save(text_graph(mix.tower, mix.quantised), tmp_path / TEXT_ENCODER)
        projection = mix.tower.projection
        dim = WIDTH if projection is None else projection.weight.shape[1]
        return TextEncoder(tmp_path, card().model_copy(update={"embedding_dim": dim}))

    return load


def all_int8(tower: TextTower) -> Mix:
    return Mix(tower, quantise(tower))


def close_enough(load: Load, tower: TextTower, texts: list[list[int]]) -> Callable[[Mix], bool]:
    """A gate: the worst cosine to fp32 has to reach ``LEAST_COSINE``."""
    exact = load(Mix(tower, {})).encode(texts)
    return lambda mix: bool((load(mix).encode(texts) * exact).sum(axis=1).min() >= LEAST_COSINE)


def with_outlier(tower: TextTower, number: int) -> TextTower:
    """The same function, but one input of a block's ``up`` is 300 times the others."""
    block = tower.blocks[number]
    weight, up = block.norm_2.weight.copy(), block.up.weight.copy()
    weight[5] *= 300
    up[5] /= 300
    hard = replace(
        block, norm_2=replace(block.norm_2, weight=weight), up=replace(block.up, weight=up)
    )
    return replace(tower, blocks=[*tower.blocks[:number], hard, *tower.blocks[number + 1 :]])


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("number", range(BLOCKS))
def test_the_one_hard_part_stays_in_fp32(encoder: Load, causal: bool, number: int) -> None:
    texts = made_texts(causal, 60)
    plain = made_tower(causal)
    tower = with_outlier(plain, number)
    passes = close_enough(encoder, tower, texts)
    assert close_enough(encoder, plain, texts)(all_int8(plain)), "else int8 would do"
    assert not passes(all_int8(tower))
    int8 = quantise(tower)
    mix = fastest_mix(tower, int8, texts, passes)
    assert passes(mix)
    assert finer_parts(mix.quantised, int8) == {f"{number}.up": "fp32"}


def test_a_hard_token_table_becomes_int16_and_all_else_stays_int8(encoder: Load) -> None:
    """What is the same in every row is taken back by the positions: the function stays."""
    texts = made_texts(True, 60)
    plain = made_tower(True)
    tokens, positions = plain.tokens.copy(), plain.positions.copy()
    tokens[:, 7] += 60
    positions[:, 7] -= 60
    table = replace(plain, tokens=tokens, positions=positions)
    passes = close_enough(encoder, table, texts)
    assert close_enough(encoder, plain, texts)(all_int8(plain)), "else int8 would do"
    assert not passes(all_int8(table))
    int8 = quantise(table)
    mix = fastest_mix(table, int8, texts, passes)
    assert finer_parts(mix.quantised, int8) == {TOKENS: "int16"}


def test_where_no_mix_passes_nothing_is_quantised() -> None:
    tower = made_tower(True)
    asked: list[Mix] = []

    def passes(mix: Mix) -> bool:
        asked.append(mix)
        return False

    mix = fastest_mix(tower, quantise(tower), made_texts(True, 20), passes)
    assert mix == Mix(tower, {})
    assert 0 < len(asked) <= 5
    assert all(mix.quantised for mix in asked)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("projects", [True, False])
def test_the_mean_error_is_taken_back(encoder: Load, causal: bool, projects: bool) -> None:
    tower, texts = made_tower(causal), made_texts(causal, 60)
    if not projects:
        tower = replace(tower, projection=None)
    int8 = quantise(tower)
    corrected = fastest_mix(tower, int8, texts, lambda _: True)
    assert corrected.quantised == int8
    # What is the same for these texts is the same for others.
    others = made_texts(causal, 200, seed=5)
    exact, plain, better = (
        encoder(mix).encode(others) for mix in (Mix(tower, {}), Mix(tower, int8), corrected)
    )
    left, was = (np.linalg.norm((found - exact).mean(axis=0)) for found in (better, plain))
    assert left < 0.5 * was
    assert np.square(better - exact).sum() < np.square(plain - exact).sum()


@pytest.mark.parametrize("causal", [True, False])
def test_errors_of_parts_add_up(encoder: Load, causal: bool) -> None:
    tower, texts = made_tower(causal), made_texts(causal, 48)
    int8 = quantise(tower)
    probe = Probe(tower, int8, texts)
    alone = {part: probe.error(part) for part in int8}
    exact = encoder(Mix(tower, {})).encode(texts)
    for mix, expected in (
        (int8, sum(alone.values())),
        ({"1.down": int8["1.down"]}, alone["1.down"]),
        ({TOKENS: int8[TOKENS]}, alone[TOKENS]),
    ):
        error = encoder(Mix(tower, mix)).encode(texts) - exact
        varying = np.square(error - error.mean(axis=0)).sum(axis=1).mean()
        assert varying == pytest.approx(expected, rel=0.25)


def test_probed_texts_are_none_of_those_that_are_asked_for() -> None:
    texts = probe_texts()
    assert len(set(texts)) == 48
    assert not set(texts) & {*verification_queries(), *verification_texts()}
    assert not any("{" in text for text in texts)


@pytest.mark.parametrize("causal", [True, False])
@settings(
    max_examples=25,
    deadline=None,
    # The fixture's folder holds one graph at a time, whichever is tried.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_vector_does_not_depend_on_its_company_in_any_mix(
    encoder: Load, causal: bool, data: st.DataObject
) -> None:
    tower = made_tower(causal)
    int8 = quantise(tower)
    chosen: Collection[str] = data.draw(st.sets(st.sampled_from(list(int8))))
    mix = {part: int8[part] for part in chosen}
    if TOKENS in mix and data.draw(st.booleans()):
        mix[TOKENS] = quantise_table(tower.tokens, np.int16)
    texts = made_texts(causal, 33, seed=data.draw(st.integers(0, 9)))
    mixed = encoder(Mix(tower, mix))
    together = mixed.encode(texts)
    alone = np.concatenate([mixed.encode([ids]) for ids in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    exact = encoder(Mix(tower, {})).encode(texts)
    assert (together * exact).sum(axis=1).min() > 0.999
    if not mix:
        np.testing.assert_array_equal(together, exact)


def test_a_mix_has_a_product_of_whole_numbers_for_each_int8_part() -> None:
    tower = made_tower(True)
    int8 = quantise(tower)
    names = [name for name, _ in linears(tower)]
    for count in range(len(names) + 1):
        graph = text_graph(tower, {name: int8[name] for name in names[:count]}).graph
        kinds = [node.op_type for node in graph.node]
        assert kinds.count("MatMulIntegerToFloat") == count
        # And the projection's.
        assert kinds.count("MatMul") == len(names) - count + 1


def test_sixteen_bits_are_256_times_as_fine_as_eight() -> None:
    table = made_tower(True).tokens
    table[3] = 0
    for kind, step in ((np.int8, 1 / 127), (np.int16, 1 / 32767)):
        stored = quantise_table(table, kind)
        assert stored.values.dtype == kind
        reach = np.abs(table).max(axis=1, keepdims=True)
        assert (np.abs(stored.values * stored.scale - table) <= reach * step * 0.51).all()


def test_of_equal_errors_the_one_that_costs_least_time_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After the last attention a text is one token, so that fp32 is cheapest there."""
    tower = made_tower(True)
    int8 = quantise(tower)
    monkeypatch.setattr(Probe, "error", lambda *_: 1.0)
    texts = made_texts(True, 60)

    def in_fp32(mix: Mix) -> set[str]:
        return set(int8) - set(mix.quantised)

    for count, cheapest in enumerate(["2.out", "2.up", "2.down", "0.out", "1.out"], start=1):
        mix = fastest_mix(tower, int8, texts, lambda mix, n=count: len(in_fp32(mix)) >= n)  # type: ignore[misc]
        assert len(in_fp32(mix)) == count
        assert cheapest in in_fp32(mix)
