"""clip-retrieval's own client, where it is installed; else what sends exactly the same.

The package ``clip-retrieval`` needs torch and much else, which its client does not; so that the
client's file is taken alone: ``pip install --no-deps clip-retrieval`` is enough.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

_STAND_IN = '''
import base64
from pathlib import Path

import requests


class ClipClient:
    """Sends what clip_retrieval/clip_client.py of clip-retrieval 2.45.0 sends."""

    def __init__(self, url, indice_name, num_images=40, deduplicate=True):
        self.url = url
        self.settings = {
            "deduplicate": deduplicate,
            "use_safety_model": True,
            "use_violence_detector": True,
            "indice_name": indice_name,
            "use_mclip": False,
            "aesthetic_score": 9,
            "aesthetic_weight": 0.5,
            "modality": "image",
            "num_images": num_images,
            "num_result_ids": num_images,
        }

    def query(self, text=None, image=None, embedding_input=None):
        asked = dict.fromkeys(("text", "image", "image_url", "embedding_input"))
        if text:
            asked["text"] = text
        elif image and image.startswith("http"):
            asked["image_url"] = image
        elif image:
            asked["image"] = base64.b64encode(Path(image).read_bytes()).decode()
        else:
            asked["embedding_input"] = embedding_input
        return requests.post(self.url, json=asked | self.settings, timeout=3600).json()
'''


def source() -> str:
    """The text of the client's module."""
    spec = importlib.util.find_spec("clip_retrieval")
    for folder in (spec and spec.submodule_search_locations) or ():
        return (Path(folder) / "clip_client.py").read_text(encoding="utf-8")
    return _STAND_IN


def load() -> ModuleType:
    """The client's module."""
    module = ModuleType("clip_client")
    exec(compile(source(), "clip_client.py", "exec"), module.__dict__)
    return module
