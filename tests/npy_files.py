"""Files of embeddings that a user may bring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def saved(folder: Path, rows: Any) -> Path:
    file = folder / "x.npy"
    np.save(file, rows, allow_pickle=True)
    return file
