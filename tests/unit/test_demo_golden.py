"""The embedded model's golden embeddings, computed anew from its graphs without ONNX Runtime.

Its PyTorch modules were not kept, so its golden embeddings are what ``onnx.reference``, an
implementation of the operators in numpy, makes of the graphs: see MODEL_CARD.md.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from build.packages import DEMO_MODEL
from models.golden import unpack
from models.golden_image import golden_image
from models.manifest import IMAGE_ENCODER, TEXT_ENCODER, ModelCard
from models.preprocessing import preprocess
from models.tokenizer import Tokenizer
from tests.reference_operators import OPERATORS, without_vnni


def embeddings(card: ModelCard, operators: list[type[OpRun]]) -> NDArray[np.float32]:
    graph = ReferenceEvaluator(onnx.load(DEMO_MODEL / TEXT_ENCODER), new_ops=operators)
    ids = Tokenizer.load(DEMO_MODEL, card).encode([each.text for each in card.golden.texts])
    assert len(ids) == 6
    assert max(map(len, ids)) == card.context_length
    return np.concatenate([graph.run(None, {"input_ids": np.array([each])})[0] for each in ids])


@pytest.fixture(scope="module")
def golden(card: ModelCard) -> NDArray[np.float32]:
    return np.stack([unpack(each.embedding) for each in card.golden.texts])


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return ModelCard.read(DEMO_MODEL)


def test_the_texts_embeddings_are_the_graph_s(card: ModelCard, golden: NDArray[np.float32]) -> None:
    # With another numpy a rounding to int8 may fall the other way, which moves a vector by so much.
    np.testing.assert_allclose(embeddings(card, OPERATORS), golden, atol=4e-3)


def test_the_tolerance_lets_processors_without_vnni_pass(
    card: ModelCard, golden: NDArray[np.float32]
) -> None:
    """And is no wider than that asks for: see MODEL_CARD.md."""
    differs = np.abs(embeddings(card, without_vnni()) - golden).max()
    assert differs < card.golden.text_tolerance.largest < 2 * differs


def test_the_image_s_embedding_is_the_graph_s(card: ModelCard) -> None:
    graph = ReferenceEvaluator(onnx.load(DEMO_MODEL / IMAGE_ENCODER))
    pixels = preprocess(golden_image(), card.preprocessing)
    [vectors] = graph.run(None, {"pixel_values": pixels[np.newaxis]})
    np.testing.assert_allclose(vectors[0], unpack(card.golden.image), atol=1e-5)
