"""Towers as PyTorch's own exporter sees them: every image tower, and odd text towers."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import torch
from open_clip.hf_model import HFTextEncoder
from open_clip.tokenizer import HFTokenizer
from torch import nn

_OPSET = 18


class _Normalised(nn.Module):
    """One of a model's two encoders, with its output scaled to length one."""

    def __init__(self, model: nn.Module, encode: str) -> None:
        super().__init__()
        self.model = model
        self._encode: Callable[[torch.Tensor], torch.Tensor] = getattr(model, encode)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(self._encode(values), dim=-1)


def image_graph(model: nn.Module, height: int, width: int) -> onnx.ModelProto:
    """``pixel_values`` float32 ``[batch, 3, height, width]`` → ``embedding``."""
    # Two, since the exporter takes a batch of one for a constant.
    example = torch.zeros(2, 3, height, width)
    return _trace(_Normalised(model, "encode_image"), example, "pixel_values")


def traced_text_graph(model: nn.Module, context_length: int, any_length: bool) -> onnx.ModelProto:
    """``input_ids`` int64 ``[batch, tokens]`` → ``embedding``, for towers of other kinds.

    ``tokens`` is the context length, or any where ``any_length`` says so.
    """
    example = torch.ones(2, context_length, dtype=torch.int64)
    tokens = {1: "tokens"} if any_length else {}
    return _trace(_Normalised(model, "encode_text"), example, "input_ids", tokens)


def masks_its_padding(model: nn.Module, tokenizer: Any) -> bool:
    """Whether a text tower of Hugging Face leaves out just what its tokenizer pads with."""
    text = getattr(model, "text", None)
    return (
        isinstance(text, HFTextEncoder)
        and isinstance(tokenizer, HFTokenizer)
        and not tokenizer.strip_sep_token
        and text.config.pad_token_id == tokenizer.tokenizer.pad_token_id
    )


def _trace(
    module: nn.Module, example: torch.Tensor, name: str, more_axes: dict[int, str] | None = None
) -> onnx.ModelProto:
    more: dict[str, Any] = {
        "input_names": [name],
        "output_names": ["embedding"],
        "dynamo": False,
        "opset_version": _OPSET,
        "dynamic_axes": {name: {0: "batch"} | (more_axes or {}), "embedding": {0: "batch"}},
    }
    # PyTorch's fused attention has no ONNX operator; what it fuses has.
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            warnings.catch_warnings(),
            torch.no_grad(),
        ):
            _leave_out_what_is_harmless()
            path = Path(folder) / "tower.onnx"
            torch.onnx.export(module.eval(), (example,), str(path), **more)
            return onnx.load(path)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _leave_out_what_is_harmless() -> None:
    """Of what PyTorch warns of, what is known to do no harm here; the rest is for the user."""
    # Harmless: the exporter that is asked for is deprecated, and torch's release is fixed.
    warnings.filterwarnings(
        "ignore",
        message="You are using the legacy TorchScript-based ONNX export",
        category=DeprecationWarning,
    )
    # Harmless: that exporter calls a part of itself that is deprecated along with it.
    warnings.filterwarnings(
        "ignore",
        message="The feature will be removed. Please remove usage of this function",
        category=DeprecationWarning,
    )
    # Harmless: a trace follows one branch, and which one is taken depends on shapes. All but the
    # batch is fixed (and the number of tokens, in towers that mask their padding), and the graph
    # is compared with the model in batches of other sizes and lengths.
    warnings.filterwarnings(
        "ignore",
        message="Converting a tensor to a Python (boolean|number) might cause the trace",
        category=torch.jit.TracerWarning,  # type: ignore[attr-defined]
    )
    # Harmless: it is wrong for negative indices only, and a text tower picks its end token by
    # its place, which is none.
    warnings.filterwarnings(
        "ignore",
        message="Exporting aten::index operator of advanced indexing",
        category=UserWarning,
    )
