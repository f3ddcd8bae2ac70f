"""open_clip's text transformer, taken apart into arrays.

This is the only form that the graph builder knows; whether a tower is causal, how it
pools and which activation it has is read from the module, never from a model's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from open_clip.transformer import LayerScale, QuickGELU, ResidualAttentionBlock
from torch import nn

Array = NDArray[np.float32]
Activation = Literal["gelu", "gelu_tanh", "quick_gelu"]


@dataclass(frozen=True)
class Norm:
    """Weight and bias of a layer norm, float32 ``[width]``, and its epsilon."""

    weight: Array
    bias: Array
    epsilon: float


@dataclass(frozen=True)
class Linear:
    """``x @ weight + bias``: float32 ``[in, out]`` and ``[out]``."""

    weight: Array
    bias: Array


@dataclass(frozen=True)
class Block:
    """One residual attention block; layer scales are folded into ``out`` and ``down``."""

    norm_1: Norm
    qkv: Linear
    out: Linear
    norm_2: Norm
    up: Linear
    down: Linear


@dataclass(frozen=True)
class TextTower:
    """A text tower of ``TextTransformer``'s kind.

    Args:
        tokens: the embedding table, float32 ``[vocabulary, width]``.
        positions: float32 ``[context, width]``.
        causal: whether a token sees only those before it.
        pooling: which token's output is the text's: that of the highest id, the first
            end token's, the last or the first of the context.
        end_id: the end token, where ``pooling`` is ``eos``.
    """

    tokens: Array
    positions: Array
    blocks: list[Block]
    final_norm: Norm
    projection: Linear | None
    heads: int
    activation: Activation
    causal: bool
    pooling: Literal["argmax", "eos", "last", "first"]
    end_id: int | None


def take_apart(model: nn.Module) -> TextTower | None:
    """The text tower of an open_clip model, None where it is of another kind.

    ``CustomTextCLIP`` has the tower in ``model.text``, ``CLIP`` has its parts itself.
    """
    text: Any = getattr(model, "text", model)
    blocks = getattr(getattr(text, "transformer", None), "resblocks", None)
    if blocks is None or getattr(text, "cls_emb", None) is not None:
        return None
    if not all(type(block) is ResidualAttentionBlock for block in blocks):
        return None
    pooling = getattr(text, "pool_type", getattr(text, "text_pool_type", None))
    if pooling not in ("argmax", "eos", "last", "first"):
        return None
    activation = blocks[0].mlp.gelu
    name: Activation
    if isinstance(activation, QuickGELU):
        name = "quick_gelu"
    elif isinstance(activation, nn.GELU):
        name = "gelu" if activation.approximate == "none" else "gelu_tanh"
    else:
        return None
    causal = text.attn_mask is not None
    # Pooled at the last of the context, a causal tower's padding counts.
    if causal and (pooling == "last" or not _is_causal(text.attn_mask)):
        return None
    return TextTower(
        tokens=_array(text.token_embedding.weight),
        positions=_array(text.positional_embedding),
        blocks=[_block(block) for block in blocks],
        final_norm=_norm(text.ln_final),
        projection=_projection(text.text_projection),
        heads=blocks[0].attn.num_heads,
        activation=name,
        causal=causal,
        pooling=pooling,
        end_id=getattr(text, "eos_id", getattr(text, "text_eos_id", None)),
    )


def _is_causal(mask: torch.Tensor) -> bool:
    expected = torch.full_like(mask, float("-inf")).triu_(1)
    return torch.equal(mask, expected)


def _block(block: ResidualAttentionBlock) -> Block:
    return Block(
        norm_1=_norm(block.ln_1),
        qkv=_linear(block.attn.in_proj_weight, block.attn.in_proj_bias),
        out=_linear(block.attn.out_proj.weight, block.attn.out_proj.bias, block.ls_1),
        norm_2=_norm(block.ln_2),
        up=_linear(block.mlp.c_fc.weight, block.mlp.c_fc.bias),
        down=_linear(block.mlp.c_proj.weight, block.mlp.c_proj.bias, block.ls_2),
    )


def _projection(projection: nn.Linear | torch.Tensor | None) -> Linear | None:
    if projection is None:
        return None
    if isinstance(projection, nn.Linear):
        return _linear(projection.weight, projection.bias)
    return _linear(projection.T, None)


def _linear(
    weight: torch.Tensor, bias: torch.Tensor | None, scale: nn.Module | None = None
) -> Linear:
    out_in = _array(weight)
    shift = np.zeros(len(out_in), dtype=np.float32) if bias is None else _array(bias)
    if isinstance(scale, LayerScale):
        gamma = _array(scale.gamma)
        out_in, shift = out_in * gamma[:, np.newaxis], shift * gamma
    return Linear(np.ascontiguousarray(out_in.T), shift)


def _norm(norm: nn.LayerNorm) -> Norm:
    return Norm(_array(norm.weight), _array(norm.bias), norm.eps)


def _array(tensor: torch.Tensor) -> Array:
    return np.ascontiguousarray(tensor.detach().to(torch.float32).cpu().numpy())
