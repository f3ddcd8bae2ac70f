"""Store weights in less space where nothing is lost by it.

A model whose weights were rounded before it was exported shrinks, to a half or a quarter;
any other stays as it is.  onnxruntime turns the weights back once, when it loads the graph;
what the graph computes stays the same to the bit.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# Below this the additional nodes cost as much as they save.
_SMALLEST = 1024


def store_exactly(model: onnx.ModelProto) -> int:
    """Store float32 weights in the smallest form that holds them exactly, in place.

    A matrix or a convolution may be bytes times a scale for each output (a matrix's rows or
    columns: int8, a ``Cast`` and a ``Mul``), anything may be float16 (and a ``Cast``).

    Returns:
        How many weights are stored smaller now.
    """
    graph = model.graph
    restored: list[onnx.NodeProto] = []
    scales: list[onnx.TensorProto] = []
    stored = 0
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        weights = numpy_helper.to_array(tensor)
        if weights.size < _SMALLEST:
            continue
        name = tensor.name
        if (found := _as_bytes(weights)) is not None:
            quantised, scale = found
            scales.append(numpy_helper.from_array(scale, f"{name}.scale"))
            restored += [
                _cast(f"{name}.bytes", f"{name}.whole"),
                helper.make_node("Mul", [f"{name}.whole", f"{name}.scale"], [name], f"{name}.mul"),
            ]
            tensor.CopyFrom(numpy_helper.from_array(quantised, f"{name}.bytes"))
        elif (halves := _as_halves(weights)) is not None:
            restored.append(_cast(f"{name}.half", name))
            tensor.CopyFrom(numpy_helper.from_array(halves, f"{name}.half"))
        else:
            continue
        stored += 1
    graph.initializer.extend(scales)
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*restored, *nodes])
    return stored


def _as_bytes(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]] | None:
    """int8 of the same shape, and the scale of each output, float32, that multiplies it."""
    if weights.ndim < 2:
        return None
    inputs = tuple(range(1, weights.ndim))
    for axes in (inputs, (0,)) if weights.ndim == 2 else (inputs,):
        scale = np.abs(weights).max(axis=axes, keepdims=True) / np.float32(127)
        if not scale.all():
            continue
        quantised = np.rint(weights / scale).astype(np.int8)
        if np.array_equal(quantised * scale, weights):
            return quantised, scale
    return None


def _as_halves(weights: NDArray[np.float32]) -> NDArray[np.float16] | None:
    # Harmless: "overflow encountered in cast"; what became infinite is not equal below.
    with np.errstate(over="ignore"):
        halves = weights.astype(np.float16)
    return halves if np.array_equal(halves.astype(np.float32), weights) else None


def _cast(source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], f"{source}.cast", to=TensorProto.FLOAT)
