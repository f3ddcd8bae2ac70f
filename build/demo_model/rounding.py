"""Make the image tower as small as it is stored, before anything is measured on it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


@torch.no_grad()
def fold_norms(backbone: Any) -> None:
    """Fold each batch norm of an EfficientNet into the convolution before it, in place.

    What remains of the norm is its activation.
    """
    _fold(backbone, "conv_stem", "bn1")
    _fold(backbone, "conv_head", "bn2")
    for stage in backbone.blocks:
        for block in stage:
            # The order in which a block runs them; those with an expansion have three.
            convolutions = (
                ("conv_pw", "conv_dw", "conv_pwl")
                if hasattr(block, "conv_pwl")
                else ("conv_dw", "conv_pw")
            )
            for number, convolution in enumerate(convolutions, start=1):
                _fold(block, convolution, f"bn{number}")


def _fold(parent: nn.Module, convolution: str, norm: str) -> None:
    conv, bn = getattr(parent, convolution), getattr(parent, norm)
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    setattr(parent, norm, bn.act)


@torch.no_grad()
def round_to_storage(module: nn.Module) -> None:
    """Round every weight to what it can be stored as: see :mod:`build.export.storage`.

    The matrices of linear layers and of 1×1 convolutions become whole numbers up to 127
    times a scale for each output; everything else becomes what float16 holds.
    """
    matrices = {layer.weight for layer in module.modules() if _is_matrix(layer)}
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor in matrices:
            # Of eight bits, so that its product with seven bits is exact, whatever its height.
            largest = tensor.flatten(1).abs().amax(1).reshape(-1, *[1] * (tensor.ndim - 1))
            scale = (largest / 127).bfloat16().float()
            tensor.copy_((tensor / scale).round() * scale)
        elif tensor.is_floating_point():
            tensor.copy_(tensor.half().float())


def _is_matrix(layer: nn.Module) -> bool:
    pointwise = isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1)
    return isinstance(layer, nn.Linear) or pointwise
