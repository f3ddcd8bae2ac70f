"""EfficientNet-Lite2: what it sees in an image, and which of 1,000 things it takes it for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from build.errors import BuildError

SIDE = 260
FEATURES = 1280
# Channels after each of the seven stages: edges and colours first, parts of things last.
STAGE_FEATURES = 16 + 24 + 48 + 88 + 120 + 208 + 352
CLASSES = 1000


def load_backbone(folder: Path) -> nn.Module:
    """timm's ``tf_efficientnet_lite2`` with the package's weights, in evaluation mode.

    The package calls its parameters otherwise than timm; both list them in the same order.

    Raises:
        BuildError: the package holds another network.
    """
    (path,) = folder.glob("*.pth")
    weights = list(torch.load(path, map_location="cpu", weights_only=True).values())
    network = timm.create_model("tf_efficientnet_lite2", pretrained=False)
    names = list(network.state_dict())
    shapes = [tensor.shape for tensor in network.state_dict().values()]
    if shapes != [tensor.shape for tensor in weights]:
        raise BuildError(f"{path} is not EfficientNet-Lite2")
    network.load_state_dict(dict(zip(names, weights, strict=True)))
    network.eval()
    return network


def see(network: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Features of images: float32 ``[n, 3, 260, 260]`` to ``[n, 1280 + 856]``.

    The first 1280 are those the classifier reads; the rest are the means of each stage's
    channels.
    """
    hidden = network.bn1(network.conv_stem(pixels))
    stages = []
    for stage in network.blocks:
        hidden = stage(hidden)
        stages.append(hidden.float().mean((2, 3)))
    last = network.bn2(network.conv_head(hidden)).float().mean((2, 3))
    return torch.cat([last, *stages], 1)


@torch.no_grad()
def photograph_means(network: Any) -> torch.Tensor:
    """The means of the stages' channels over photographs, float32 ``[856]``.

    No photograph is needed: a batch norm moves the mean of what it has seen in training to
    its bias, and it has seen ImageNet.  A stage gives the sum of its last blocks, as far as
    they are joined by skips.  The norms must not have been folded yet.
    """
    means = []
    for stage in network.blocks:
        mean = torch.zeros(())
        for block in stage:
            last = block.bn3 if hasattr(block, "bn3") else block.bn2
            mean = last.bias + mean if block.has_skip else last.bias
        means.append(mean)
    return torch.cat(means)
