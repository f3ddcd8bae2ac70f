"""open_clip's weights as transformers' CLIP; runs in Infinity's environment.

python checkpoint_for_infinity.py WEIGHTS.pt BPE.txt.gz FOLDER

``FOLDER/torch`` is a CLIPModel.  ``FOLDER/optimum`` is its text tower as ONNX with one
output, the text's vector ``[batch, 1, 512]``: a "hidden state" of one token, since that is
what Infinity's ONNX engine pools.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import torch
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)
from transformers.models.clip.tokenization_clip import bytes_to_unicode

_MERGES = 49152 - 256 - 2
_START, _END = "<|startoftext|>", "<|endoftext|>"


def main() -> None:
    """Write both folders, and last the mark that says so."""
    weights, merges, folder = map(Path, sys.argv[1:4])
    for engine in ("torch", "optimum"):
        (folder / engine).mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(merges, folder)
    model = _model(torch.load(weights, weights_only=True))
    model.save_pretrained(folder / "torch")
    CLIPProcessor(CLIPImageProcessor(), tokenizer).save_pretrained(folder / "torch")
    _export(folder, tokenizer)
    tokenizer.save_pretrained(folder / "optimum")
    (folder / "complete").touch()


def _tokenizer(packed: Path, folder: Path) -> CLIPTokenizer:
    """CLIP's, from the list of merges that open_clip brings along."""
    merges = gzip.decompress(packed.read_bytes()).decode("utf-8").split("\n")[1 : _MERGES + 1]
    letters = list(bytes_to_unicode().values())
    joined = [merge.replace(" ", "") for merge in merges]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *joined, _START, _END]
    vocabulary, merged = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    merged.write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    return CLIPTokenizer(str(vocabulary), str(merged), model_max_length=77)


def _model(state: dict[str, torch.Tensor]) -> CLIPModel:
    """A CLIPModel with open_clip's text tower; nobody asks for its image tower."""
    config = CLIPConfig(text_config={"hidden_act": "gelu"}, vision_config={"hidden_act": "gelu"})
    model = CLIPModel(config).eval()
    renamed = {
        "text_model.embeddings.token_embedding.weight": state["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": state["positional_embedding"],
        "text_model.final_layer_norm.weight": state["ln_final.weight"],
        "text_model.final_layer_norm.bias": state["ln_final.bias"],
        "text_projection.weight": state["text_projection"].T.contiguous(),
    }
    parts = {
        "self_attn.out_proj": "attn.out_proj",
        "layer_norm1": "ln_1",
        "layer_norm2": "ln_2",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
    }
    for number in range(config.text_config.num_hidden_layers):
        to, of = f"text_model.encoder.layers.{number}", f"transformer.resblocks.{number}"
        for kind in ("weight", "bias"):
            for new, old in parts.items():
                renamed[f"{to}.{new}.{kind}"] = state[f"{of}.{old}.{kind}"]
            thirds = state[f"{of}.attn.in_proj_{kind}"].chunk(3)
            for letter, third in zip("qkv", thirds, strict=True):
                renamed[f"{to}.self_attn.{letter}_proj.{kind}"] = third.clone()
    unknown = model.load_state_dict(renamed, strict=False).unexpected_keys
    assert not unknown, unknown
    return model


class _OneToken(torch.nn.Module):
    def __init__(self, tower: CLIPTextModelWithProjection) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        encoded = self.tower(input_ids=input_ids, attention_mask=attention_mask)
        vectors: torch.Tensor = encoded.text_embeds
        return vectors.unsqueeze(1)


def _export(folder: Path, tokenizer: CLIPTokenizer) -> None:
    # Fused attention cannot be traced.
    tower = CLIPTextModelWithProjection.from_pretrained(
        folder / "torch", attn_implementation="eager"
    ).eval()
    sample = tokenizer(["a red fox", "a fox"], padding=True, return_tensors="pt")
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        _OneToken(tower),
        (sample.input_ids, sample.attention_mask),
        str(folder / "optimum" / "model.onnx"),
        input_names=["input_ids", "attention_mask"],
        output_names=["last_hidden_state"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "last_hidden_state": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    tower.config.save_pretrained(folder / "optimum")


if __name__ == "__main__":
    main()
