from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from build.export.halves import store_exact_halves


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
    assert store_exact_halves(model) == 1
    onnx.checker.check_model(model)
    assert model.ByteSize() < 0.55 * size
    np.testing.assert_array_equal(run(model, x), before)


def test_other_weights_stay() -> None:
    rng = np.random.default_rng(0)
    for weights in (
        rng.normal(size=(64, 64)).astype(np.float32),
        np.full((64, 64), 1e6, dtype=np.float32),
        np.ones((4, 4), dtype=np.float32),
    ):
        model = product(weights)
        before = model.SerializeToString()
        assert store_exact_halves(model) == 0
        assert model.SerializeToString() == before
