"""The text graph with everything in it twice, exact and rounded: to measure what rounding does."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import TensorProto, helper

from build.export.quantise import TOKENS, Quantised
from build.export.text_graph import TextGraph
from build.export.text_tower import Linear, TextTower


def probe_graph(tower: TextTower, quantised: Mapping[str, Quantised]) -> onnx.ModelProto:
    """:func:`build.export.text_graph.text_graph` with a second input, ``rounded`` bool ``[parts]``.

    It says, run by run, which of the parts of ``quantised`` are to be as they are there and
    which in fp32.  Every part is computed both ways: this is for measuring what each does.
    Embeddings have the length that the tower gives them.
    """
    return _ProbeGraph(tower, quantised).build()


class _ProbeGraph(TextGraph):
    """Computes every part both ways and goes on with what the input ``rounded`` says."""

    def _inputs(self) -> list[onnx.ValueInfoProto]:
        parts = [len(self._quantised)]
        rounded = helper.make_tensor_value_info("rounded", TensorProto.BOOL, parts)
        return [*super()._inputs(), rounded]

    def _put_out(self, vectors: str) -> None:
        self._op("Identity", [vectors], output="embedding")

    def _linear(self, vectors: str, part: str, linear: Linear) -> str:
        rounded = self._multiply_rounded(vectors, self._quantised[part])
        return self._choose(part, rounded, self._multiply_exactly(vectors, linear))

    def _look_up(self, ids: str) -> str:
        rounded = self._look_up_rounded(ids, self._quantised[TOKENS])
        return self._choose(TOKENS, rounded, self._look_up_exactly(ids))

    def _choose(self, part: str, rounded: str, exact: str) -> str:
        number = list(self._quantised).index(part)
        is_rounded = self._op("Gather", ["rounded", self._int(number)])
        return self._op("Where", [is_rounded, rounded, exact])
