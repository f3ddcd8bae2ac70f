"""A text tower as an ONNX graph that is written for onnxruntime, not traced.

Tracing open_clip's module bakes the context length into the graph and leaves attention
in pieces that the optimiser does not put together again.  Written out, the graph can
use onnxruntime's fused operators (``com.microsoft``) and do less:

- A causal tower pools at the end token, so what comes after it changes nothing.  The
  graph drops padding before the first layer and works on the bare tokens of the whole
  batch, ``[total, width]``; only attention sees them as ``[batch, tokens, width]``.
- Nor does it matter to a token what comes after it: texts that begin alike share what they
  share, the start token at least.  The graph compares each text with the one above it, so
  it gains most from a batch in alphabetical order, and is right for any.
- After the last attention only the pooled token goes on.

int8 weights have a scale for each output, activations a scale for each *token*, found at
run time.  onnxruntime's own dynamic quantisation has one scale for the whole batch, by
which a text's embedding depends on its neighbours; a scale for each row costs a fifth more
time and does not.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from build.export.graph_writer import GraphWriter
from build.export.quantise import TOKENS, Quantised
from build.export.text_tower import Linear, Norm, TextTower

_CONTRIB = "com.microsoft"
_OPSET = 23
_IR_VERSION = 11


def text_graph(tower: TextTower, quantised: Mapping[str, Quantised]) -> onnx.ModelProto:
    """The graph ``input_ids`` int64 ``[batch, tokens]`` → ``embedding`` float32 ``[batch, dim]``.

    Both axes are dynamic where the tower is causal; elsewhere ``tokens`` is the context
    length.  Embeddings have length one.  Parts that are not in ``quantised`` are in fp32.
    """
    return TextGraph(tower, quantised).build()


class TextGraph(GraphWriter):
    """Writes the graph of a tower.

    Args:
        tower: its weights.
        quantised: those of them that are rounded.
    """

    def __init__(self, tower: TextTower, quantised: Mapping[str, Quantised]) -> None:
        super().__init__()
        self._tower = tower
        self._quantised = quantised

    def build(self) -> onnx.ModelProto:
        """The whole graph."""
        tower = self._tower
        width = tower.positions.shape[1]
        dim = width if tower.projection is None else tower.projection.weight.shape[1]

        self._lay_out()
        hidden = self._op("Add", [self._embed_tokens(), self._embed_positions()])
        normed = self._norm(hidden, tower.blocks[0].norm_1)
        for number, block in enumerate(tower.blocks):
            context_vectors = self._attend(
                self._linear(normed, f"{number}.qkv", block.qkv), block.qkv
            )
            if number == len(tower.blocks) - 1:
                context_vectors, hidden = self._pool(context_vectors, hidden)
            else:
                context_vectors = self._drop_padding(context_vectors)
            attended = self._linear(context_vectors, f"{number}.out", block.out)
            normed, hidden = self._add_and_norm(attended, hidden, block.out, block.norm_2)
            raised = self._activate(self._linear(normed, f"{number}.up", block.up), block.up)
            lowered = self._linear(raised, f"{number}.down", block.down)
            last = number == len(tower.blocks) - 1
            following = tower.final_norm if last else tower.blocks[number + 1].norm_1
            normed, hidden = self._add_and_norm(lowered, hidden, block.down, following)
        if tower.projection is not None:
            # In fp32 whatever the precision: it is one row a text, and it is the answer.
            product = self._op("MatMul", [normed, self._keep(tower.projection.weight)])
            normed = self._op("Add", [product, self._keep(tower.projection.bias)])
        self._put_out(normed)

        graph = helper.make_graph(
            self._nodes,
            "text_encoder",
            self._inputs(),
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dim])],
            list(self._initialisers.values()),
        )
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_CONTRIB, 1)],
            ir_version=_IR_VERSION,
        )

    def _inputs(self) -> list[onnx.ValueInfoProto]:
        tokens: str | int = "tokens" if self._tower.causal else len(self._tower.positions)
        return [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", tokens])]

    def _put_out(self, vectors: str) -> None:
        self._op("LpNormalization", [vectors], output="embedding", axis=-1, p=2)

    def _lay_out(self) -> None:
        """Work out where each token lies: once, for all layers.

        A row is computed for each token that is no padding and does not repeat, with all
        that stands before it, that of the text above.  ``kept`` are these rows' places in
        ``[batch * tokens]``, by column and then by text; ``order`` are their columns;
        ``place`` is the row of each of ``[batch * tokens]``; ``pooled`` the row of each
        text's pooled token.
        """
        tower = self._tower
        shape = self._op("Shape", ["input_ids"])
        self._batch = self._op("Gather", [shape, self._int(0)])
        self._tokens = self._op("Gather", [shape, self._int(1)])
        one = self._ints([-1])
        self._flat_ids = self._op("Reshape", ["input_ids", one])
        end = self._pooled_token()
        starts = self._op(
            "Mul", [self._op("Range", [self._int(0), self._batch, self._int(1)]), self._tokens]
        )
        pooled = self._op("Add", [starts, end])
        self._pooled_padded = pooled
        if not tower.causal:
            self._pooled = pooled
            return
        columns = self._op("Range", [self._int(0), self._tokens, self._int(1)])
        valid = self._op("LessOrEqual", [columns, self._op("Unsqueeze", [end, self._ints([1])])])
        keep = self._op("And", [valid, self._differs_from_the_text_above()])
        found = self._op("NonZero", [self._op("Transpose", [keep], perm=[1, 0])])
        self._order, text = self._ops("Split", [found], 2, axis=0, num_outputs=2)
        self._order = self._op("Reshape", [self._order, one])
        text = self._op("Reshape", [text, one])
        self._kept = self._op("Add", [self._op("Mul", [text, self._tokens]), self._order])
        counts = self._op("Cast", [keep], to=TensorProto.INT64)
        # The last row kept in this column, down to this text, is its own or the one it repeats.
        within = self._op("CumSum", [counts, self._int(0)])
        before = self._op(
            "CumSum",
            [self._op("ReduceSum", [counts, self._ints([0])], keepdims=0), self._int(0)],
            exclusive=1,
        )
        place = self._op("Sub", [self._op("Add", [within, before]), self._int(1)])
        self._place = self._op("Reshape", [place, one])
        self._pooled = self._op("Gather", [self._place, pooled])

    def _differs_from_the_text_above(self) -> str:
        """Where a text is no longer the same as the one before it: bool ``[batch, tokens]``."""
        rolled = self._op(
            "Pad", ["input_ids", self._ints([1, 0, -1, 0]), self._int(-1)], mode="constant"
        )
        equal = self._op("Equal", ["input_ids", rolled])
        different = self._op("Cast", [self._op("Not", [equal])], to=TensorProto.INT64)
        so_far = self._op("CumSum", [different, self._int(1)])
        return self._op("Greater", [so_far, self._int(0)])

    def _pooled_token(self) -> str:
        """Which token of each text is pooled: int64 ``[batch]``."""
        tower = self._tower
        if tower.pooling == "argmax":
            return self._op("ArgMax", ["input_ids"], axis=1, keepdims=0)
        if tower.pooling == "eos":
            is_end = self._op("Equal", ["input_ids", self._int(tower.end_id or 0)])
            number = self._op("Cast", [is_end], to=TensorProto.INT32)
            return self._op("ArgMax", [number], axis=1, keepdims=0)
        token = 0 if tower.pooling == "first" else len(tower.positions) - 1
        shape = self._op("Unsqueeze", [self._batch, self._ints([0])])
        return self._op("Expand", [self._int(token), shape])

    def _embed_tokens(self) -> str:
        ids = self._flat_ids
        if self._tower.causal:
            ids = self._op("Gather", [ids, self._kept])
        return self._look_up(ids)

    def _look_up(self, ids: str) -> str:
        """``[rows]`` of ids to ``[rows, width]``."""
        table = self._quantised.get(TOKENS)
        if table is None:
            return self._look_up_exactly(ids)
        return self._look_up_rounded(ids, table)

    def _look_up_exactly(self, ids: str) -> str:
        return self._op("Gather", [self._keep(self._tower.tokens), ids])

    def _look_up_rounded(self, ids: str, table: Quantised) -> str:
        rows = self._op("Gather", [self._keep(table.values), ids])
        scales = self._op("Gather", [self._keep(table.scale), ids])
        return self._op("Mul", [self._op("Cast", [rows], to=TensorProto.FLOAT), scales])

    def _embed_positions(self) -> str:
        if self._tower.causal:
            return self._op("Gather", [self._keep(self._tower.positions), self._order])
        # [batch * tokens] in rows of the context: the table once for each text.
        shape = self._op(
            "Concat",
            [self._op("Unsqueeze", [self._batch, self._ints([0])]), self._ints([1])],
            axis=0,
        )
        return self._op("Tile", [self._keep(self._tower.positions), shape])

    def _attend(self, qkv: str, linear: Linear) -> str:
        """Each text's attention to itself: ``[rows, 3 * width]`` → ``[batch * tokens, width]``."""
        width = linear.weight.shape[0]
        qkv = self._op("Add", [qkv, self._keep(linear.bias)])
        if self._tower.causal:
            qkv = self._op("Gather", [qkv, self._place])
        shape = self._op(
            "Concat",
            [self._op("Unsqueeze", [size, self._ints([0])]) for size in (self._batch, self._tokens)]
            + [self._ints([3 * width])],
            axis=0,
        )
        query, key, value = self._ops(
            "Split", [self._op("Reshape", [qkv, shape])], 3, axis=2, num_outputs=3
        )
        attended = self._op(
            "Attention",
            [query, key, value],
            q_num_heads=self._tower.heads,
            kv_num_heads=self._tower.heads,
            is_causal=int(self._tower.causal),
        )
        return self._op("Reshape", [attended, self._ints([-1, width])])

    def _drop_padding(self, vectors: str) -> str:
        return self._op("Gather", [vectors, self._kept]) if self._tower.causal else vectors

    def _pool(self, context_vectors: str, hidden: str) -> tuple[str, str]:
        return (
            self._op("Gather", [context_vectors, self._pooled_padded]),
            self._op("Gather", [hidden, self._pooled]),
        )

    def _norm(self, vectors: str, norm: Norm) -> str:
        return self._op(
            "LayerNormalization",
            [vectors, self._keep(norm.weight), self._keep(norm.bias)],
            axis=-1,
            epsilon=norm.epsilon,
        )

    def _add_and_norm(
        self, update: str, hidden: str, linear: Linear, norm: Norm
    ) -> tuple[str, str]:
        """``hidden + update + bias``, normed and as it is.

        onnxruntime's fused SkipLayerNormalization takes six times as long on a processor.
        """
        shifted = self._op("Add", [update, self._keep(linear.bias)])
        summed = self._op("Add", [shifted, hidden])
        return self._norm(summed, norm), summed

    def _activate(self, vectors: str, linear: Linear) -> str:
        if self._tower.activation != "quick_gelu":
            # FastGelu is the one by tanh.
            kind = "BiasGelu" if self._tower.activation == "gelu" else "FastGelu"
            return self._op(kind, [vectors, self._keep(linear.bias)], domain=_CONTRIB)
        shifted = self._op("Add", [vectors, self._keep(linear.bias)])
        return self._op("QuickGelu", [shifted], domain=_CONTRIB, alpha=1.702)

    def _linear(self, vectors: str, part: str, linear: Linear) -> str:
        """``vectors @ weight``; every bias is added by the operator that comes next."""
        quantised = self._quantised.get(part)
        if quantised is None:
            return self._multiply_exactly(vectors, linear)
        return self._multiply_rounded(vectors, quantised)

    def _multiply_exactly(self, vectors: str, linear: Linear) -> str:
        return self._op("MatMul", [vectors, self._keep(linear.weight)])

    def _multiply_rounded(self, vectors: str, quantised: Quantised) -> str:
        largest = self._op("ReduceMax", [vectors, self._ints([1])], keepdims=1)
        smallest = self._op("ReduceMin", [vectors, self._ints([1])], keepdims=1)
        reach = self._op("Max", [largest, self._op("Neg", [smallest])])
        row_scale = self._op("Mul", [reach, self._keep(np.float32(1 / 127))])
        scaled = self._op("Mul", [vectors, self._op("Reciprocal", [row_scale])])
        # Unsigned with 128 for zero, which the processors' dot products are made for.
        middle, unit = self._keep(np.uint8(128)), self._keep(np.float32(1))
        whole = self._op("QuantizeLinear", [scaled, unit, middle])
        product = self._op(
            "MatMulIntegerToFloat",
            [whole, self._keep(quantised.values), unit, self._keep(quantised.scale), middle],
            domain=_CONTRIB,
        )
        return self._op("Mul", [product, row_scale])
