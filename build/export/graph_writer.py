"""Writes an ONNX graph node by node: names for what nodes give, and constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class GraphWriter:
    """The nodes and constants that were written so far."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._initialisers: dict[str, onnx.TensorProto] = {}
        self._count = 0

    def _op(
        self, kind: str, inputs: Sequence[str], *, output: str | None = None, **more: Any
    ) -> str:
        [name] = self._ops(kind, inputs, 1, output=output, **more)
        return name

    def _ops(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: int,
        *,
        output: str | None = None,
        **more: Any,
    ) -> list[str]:
        self._count += 1
        names = [output or f"{kind}_{self._count}_{number}" for number in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, **more))
        return names

    def _keep(self, value: NDArray[Any] | np.generic) -> str:
        """Store a constant once, however often it is used."""
        array = np.asarray(value)
        name = f"constant_{len(self._initialisers)}"
        for known, tensor in self._initialisers.items() if array.size == 1 else ():
            if tensor == numpy_helper.from_array(array, known):
                return known
        self._initialisers[name] = numpy_helper.from_array(array, name)
        return name

    def _int(self, value: int) -> str:
        return self._keep(np.int64(value))

    def _ints(self, values: list[int]) -> str:
        return self._keep(np.array(values, dtype=np.int64))
