"""Opens the ONNX graphs of a model package or bundle."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from models.damage import DamagedError


def open_graph(path: Path, content: bytes | None, *, threads: int) -> ort.InferenceSession:
    """A graph, ready to run on the processor.

    Args:
        path: its file.
        content: what is in the file, where the caller has read it already.
        threads: how many threads share a run.

    Raises:
        DamagedError: the file is missing or no ONNX graph.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        return ort.InferenceSession(
            content or str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise DamagedError(f"{path} cannot be loaded: {error}. Export it again.") from None
