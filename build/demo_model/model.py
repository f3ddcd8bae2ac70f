"""The demo model: a text tower and an image tower."""

from __future__ import annotations

import torch
from torch import nn

from build.demo_model.image_tower import ImageTower


class DemoModel(nn.Module):
    """Both towers under the names that open_clip gives them."""

    def __init__(self, text: nn.Module, visual: ImageTower) -> None:
        super().__init__()
        self.text = text
        self.visual = visual

    def encode_text(self, ids: torch.Tensor) -> torch.Tensor:
        """Vectors ``[n, 384]`` of padded ids ``[n, 32]``."""
        vectors: torch.Tensor = self.text(ids)
        return vectors

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Vectors ``[n, 384]`` of preprocessed images ``[n, 3, 260, 260]``."""
        vectors: torch.Tensor = self.visual(pixels)
        return vectors
