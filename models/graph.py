"""Opens the ONNX graphs of a model package or bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import onnxruntime as ort

from models.damage import DamagedError
from models.installation import extra

Device = Literal["cpu", "cuda"]

_CUDA = "CUDAExecutionProvider"


class NoDeviceError(Exception):
    """There is no such device here, or nothing that can use it; the message says which."""


def open_graph(
    path: Path, content: bytes | None, *, threads: int, device: Device = "cpu"
) -> ort.InferenceSession:
    """A graph, ready to run.

    Args:
        path: its file.
        content: what is in the file, where the caller has read it already.
        threads: how many threads share a run.
        device: the processor, or an NVIDIA GPU, which computes in float32 as the processor does.

    Raises:
        DamagedError: the file is missing or no ONNX graph.
        NoDeviceError: there is no GPU, or ONNX Runtime cannot use it.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    providers = _providers(device)
    try:
        session = ort.InferenceSession(content or str(path), options, providers=providers)
    except Exception as error:
        raise DamagedError(f"{path} cannot be loaded: {error}. Export it again.") from None
    # Where the GPU cannot be used, ONNX Runtime says so and takes the processor.
    if device == "cuda" and _CUDA not in session.get_providers():
        raise NoDeviceError(
            "there is no GPU here that ONNX Runtime can use: it needs one of NVIDIA's, its driver, "
            "CUDA and cuDNN, and says above which of them it misses. --device cpu does without."
        )
    return session


def _providers(device: Device) -> list[Any]:
    """What ONNX Runtime is to run a graph on.

    Raises:
        NoDeviceError: it was built without that.
    """
    if device == "cpu":
        return ["CPUExecutionProvider"]
    if _CUDA not in ort.get_available_providers():
        raise NoDeviceError(
            "the ONNX Runtime that is installed has no CUDA: `pip uninstall onnxruntime`, then "
            f"{extra('gpu')}, since both are one package to Python. --device cpu does without."
        )
    # Finds CUDA and cuDNN where pip has put them.
    ort.preload_dlls()
    # TF32 has 10 bits of each number: enough for training, not for the same embeddings.
    return [(_CUDA, {"use_tf32": "0"})]
