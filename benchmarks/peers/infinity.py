"""Infinity: text embeddings of the same weights, under its PyTorch and its ONNX engine.

It finds no images, so what is compared is encoding: its ``POST /embeddings`` and
Sightline's ``POST /encode``, a text a request.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from benchmarks.environments import NotInstalledError, environment, run_inside
from benchmarks.peers import Peer, Setting
from benchmarks.servers import Command

_ENGINES = {
    "torch": "PyTorch, transformers' CLIPModel",
    # For a whole CLIP model it has no other engine than torch.
    "optimum": "onnxruntime, the text tower exported alone",
}


def peers(setting: Setting) -> list[Peer]:
    """Both engines, for encoding."""
    python = environment("infinity", setting.environments)
    folder = setting.corpus.folder / "infinity"
    if not (folder / "complete").exists():
        open_clip = find_spec("open_clip")
        if open_clip is None or open_clip.origin is None:
            raise NotInstalledError("open_clip is missing: pip install -r requirements/export.txt")
        merges = Path(open_clip.origin).parent / "bpe_simple_vocab_16e6.txt.gz"
        given = [str(setting.corpus.weights), str(merges), str(folder)]
        run_inside(python, "checkpoint_for_infinity", *given)
    return [_peer(setting, str(python.parent / "infinity_emb"), engine) for engine in _ENGINES]


def _peer(setting: Setting, program: str, engine: str) -> Peer:
    options = {
        "model-id": str(setting.corpus.folder.resolve() / "infinity" / engine),
        "served-model-name": "clip",
        "engine": engine,
        # The exported graph's answer is one vector a text, which `cls` takes as it is.
        "pooling-method": "cls",
        "device": "cpu",
        "host": "127.0.0.1",
        "port": "{port}",
        "log-level": "warning",
    }
    command = [program, "v2"]
    for name, value in options.items():
        command += [f"--{name}", value]
    return Peer(
        f"Infinity, {engine}",
        "Infinity",
        "encode",
        Command(
            command,
            probe="/health",
            variables={"OMP_NUM_THREADS": str(setting.threads), "DO_NOT_TRACK": "1"},
        ),
        "/embeddings",
        lambda text: {"model": "clip", "input": [text]},
        lambda answer: len(answer["data"]) == 1,
        _ENGINES[engine],
    )
