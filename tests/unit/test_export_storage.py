from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from build.export.storage import store_exactly


def product(weights: np.ndarray) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", weights.shape[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", weights.shape[1]])],
        [numpy_helper.from_array(weights, "w")],
    )
    opset = helper.make_opsetid("", 21)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10)


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


def test_rounded_weights_take_half_the_space_and_compute_the_same() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(64, 64)).astype(np.float16).astype(np.float32)
    x = rng.normal(size=(3, 64)).astype(np.float32)
    model = product(weights)
    before, size = run(model, x), model.ByteSize()
    assert store_exactly(model) == 1
    onnx.checker.check_model(model)
    assert model.ByteSize() < 0.55 * size
    np.testing.assert_array_equal(run(model, x), before)


@pytest.mark.parametrize("axis", [0, 1])
def test_bytes_with_scales_take_a_quarter_of_the_space_and_compute_the_same(axis: int) -> None:
    rng = np.random.default_rng(0)
    whole = rng.integers(-126, 127, (128, 128))
    whole.T[0] = whole[0] = 127
    scale = rng.uniform(1e-3, 1e-2, 128).astype(np.float16).astype(np.float32)
    weights = (whole * np.expand_dims(scale, axis)).astype(np.float32)
    x = rng.normal(size=(3, 128)).astype(np.float32)
    model = product(weights)
    before, size = run(model, x), model.ByteSize()
    assert store_exactly(model) == 1
    onnx.checker.check_model(model)
    assert model.ByteSize() < 0.3 * size
    np.testing.assert_array_equal(run(model, x), before)


def test_convolutions_take_a_quarter_of_the_space_and_compute_the_same() -> None:
    rng = np.random.default_rng(0)
    whole = rng.integers(-126, 127, (64, 32, 1, 3))
    whole[:, 0, 0, 0] = 127
    scale = rng.uniform(1e-3, 1e-2, (64, 1, 1, 1)).astype(np.float16).astype(np.float32)
    x = rng.normal(size=(2, 32, 5, 5)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 64, 5, 3])],
        [numpy_helper.from_array((whole * scale).astype(np.float32), "w")],
    )
    opset = helper.make_opsetid("", 21)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=10)
    before, size = run(model, x), model.ByteSize()
    assert store_exactly(model) == 1
    onnx.checker.check_model(model)
    assert model.ByteSize() < 0.35 * size
    np.testing.assert_array_equal(run(model, x), before)


def test_other_weights_stay() -> None:
    rng = np.random.default_rng(0)
    for weights in (
        rng.normal(size=(64, 64)).astype(np.float32),
        1e6 * rng.normal(size=(64, 64)).astype(np.float32),
        np.ones((4, 4), dtype=np.float32),
    ):
        model = product(weights)
        before = model.SerializeToString()
        assert store_exactly(model) == 0
        assert model.SerializeToString() == before
