"""An architecture of open_clip's kind that is exported in a second."""

from __future__ import annotations

import json

import open_clip
import pytest

# Like ViT-B-32, of the same classes and with the same tokenizer, and a hundredth of its size.
_TINY = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": 32,
        "layers": 2,
        "width": 64,
        "head_width": 32,
        "patch_size": 16,
    },
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 64,
        "heads": 2,
        "layers": 2,
    },
}


@pytest.fixture(scope="session")
def tiny_architecture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its name, which open_clip knows from now on."""
    path = tmp_path_factory.mktemp("architectures") / "tiny.json"
    path.write_text(json.dumps(_TINY), "utf-8")
    open_clip.add_model_config(path)
    return path.stem
