"""Random weights of the model that everybody runs: cost does not depend on them.

python -m benchmarks.weights WEIGHTS.pt
"""

from __future__ import annotations

import sys

import open_clip
import torch

from benchmarks.corpus import MODEL


def main() -> None:
    """Write them, the same ones every time."""
    torch.manual_seed(0)
    model = open_clip.create_model(MODEL, pretrained=None)
    torch.save(model.state_dict(), sys.argv[1])


if __name__ == "__main__":
    main()
