"""The operators of our graphs that ``onnx.reference`` lacks, in numpy.

Written from their published definitions: ONNX's own for ``Pad``, ONNX Runtime's
``docs/ContribOperators.md`` for ``com.microsoft``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx.reference.op_run import OpRun

Floats = NDArray[np.float32]
_erf = np.vectorize(math.erf, otypes=[np.float64])


class Pad(OpRun):
    """Constant padding, where a negative width cuts off; the evaluator's own refuses those."""

    def _run(
        self,
        data: NDArray[Any],
        pads: NDArray[np.int64],
        constant_value: NDArray[Any],
        axes: None = None,
        mode: str = "constant",
    ) -> tuple[NDArray[Any]]:
        assert axes is None
        assert mode == "constant"
        before, after = np.split(pads, 2)
        wider = list(zip(before.clip(0), after.clip(0), strict=True))
        padded = np.pad(data, wider, constant_values=constant_value)
        ends = padded.shape + after.clip(None, 0)
        inner = tuple(
            slice(-start, end) for start, end in zip(before.clip(None, 0), ends, strict=True)
        )
        return (padded[inner],)


class BiasGelu(OpRun):
    """``gelu(x + bias)``, the exact one."""

    op_domain = "com.microsoft"

    def _run(self, x: Floats, bias: Floats) -> tuple[Floats]:
        shifted = x + bias
        return ((0.5 * shifted * (1 + _erf(shifted / math.sqrt(2)))).astype(np.float32),)


class MatMulIntegerToFloat(OpRun):
    """``((a - a_zero) @ b) * a_scale * b_scale``, the product in whole numbers."""

    op_domain = "com.microsoft"

    def _run(
        self,
        a: NDArray[np.uint8],
        b: NDArray[np.int8],
        a_scale: Floats,
        b_scale: Floats,
        a_zero: NDArray[np.uint8],
    ) -> tuple[Floats]:
        # In float64, which holds these whole numbers exactly and multiplies faster.
        product = (a.astype(np.float64) - a_zero) @ b.astype(np.float64)
        return ((product * a_scale * b_scale).astype(np.float32),)


OPERATORS = [Pad, BiasGelu, MatMulIntegerToFloat]


def without_vnni() -> list[type[OpRun]]:
    """The operators as on x86 processors without VNNI.

    Their ``vpmaddubsw`` adds the products of two neighbours in 16 bits, and what does not fit
    becomes the largest number that does; the zero point is taken off afterwards.
    """
    exact = MatMulIntegerToFloat

    class MatMulIntegerToFloat_(exact):  # noqa: N801 - see below
        def _run(
            self,
            a: NDArray[np.uint8],
            b: NDArray[np.int8],
            a_scale: Floats,
            b_scale: Floats,
            a_zero: NDArray[np.uint8],
        ) -> tuple[Floats]:
            left, right = a.astype(np.int32), b.astype(np.int32)
            product = left @ right
            for k in range(0, len(right), 2):
                # Only where both weights are large can two products be too large together.
                [columns] = np.nonzero(abs(right[k] + right[k + 1]) > 128)
                pair = left[:, k : k + 2] @ right[k : k + 2, columns]
                product[:, columns] += pair.clip(-(2**15), 2**15 - 1) - pair
            product = product.astype(np.float64) - float(a_zero) * right.sum(axis=0)
            return ((product * a_scale * b_scale).astype(np.float32),)

    # The evaluator goes by the name of the class.
    MatMulIntegerToFloat_.__name__ = "MatMulIntegerToFloat"
    return [Pad, BiasGelu, MatMulIntegerToFloat_]
