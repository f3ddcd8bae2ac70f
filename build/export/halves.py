"""Store weights in half the space where nothing is lost by it."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Below this the Cast node costs as much as it saves.
_SMALLEST = 1024


def store_exact_halves(model: onnx.ModelProto) -> int:
    """Turn float32 weights that float16 holds exactly into float16 and a ``Cast``.

    onnxruntime casts them back once, when it loads the graph; what the graph computes
    stays the same to the bit.  A model whose weights were rounded before it was exported
    shrinks by half, any other stays as it is.

    Returns:
        How many weights were stored so.
    """
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        weights = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            halves = weights.astype(np.float16)
        if weights.size < _SMALLEST or not np.array_equal(halves.astype(np.float32), weights):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(halves, f"{name}.half"))
        casts.append(
            helper.make_node("Cast", [f"{name}.half"], [name], f"{name}.cast", to=TensorProto.FLOAT)
        )
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])
    return len(casts)
