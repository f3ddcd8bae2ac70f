"""Folders as ``local-dir:`` takes them: models of a few layers with tokenizers of every kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    BertTokenizer,
    M2M100Config,
    MT5Config,
    NllbTokenizer,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaTokenizer,
    T5Tokenizer,
    XLMRobertaConfig,
    XLMRobertaTokenizer,
)

_ROOT = Path(__file__).resolve().parents[2]
_VOCABULARY = 300
_WIDTH = 32
_VISION = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
_SIZES = {"hidden_size": _WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4}
# Where the config leaves them at 512, a model of this kind is a hundred times larger.
_POSITIONS = {"max_position_embeddings": 90, "intermediate_size": 64}


def write_tiny_model(
    folder: Path, kind: str, *, preprocessing: dict[str, Any] | None = None
) -> Path:
    """Write a model with random weights into ``folder``.

    Args:
        kind: ``clip``, ``siglip``, ``clipa``, or a text tower of Hugging Face: ``roberta``,
            ``xlm-roberta``, ``mt5``, ``nllb``.
        preprocessing: the ``preprocess_cfg`` of its settings.
    """
    folder.mkdir(parents=True)
    text = {
        "layers": 2, "width": _WIDTH, "heads": 2, "context_length": 20, "vocab_size": _VOCABULARY
    } if kind in _NATIVE else {"hf_proj_type": "mlp"}  # fmt: skip
    _KINDS[kind](folder, text)
    config = {"embed_dim": 16, "vision_cfg": _VISION, "text_cfg": text}
    if kind in ("siglip", "clipa"):
        config["custom_text"] = True
    settings: dict[str, Any] = {"model_cfg": config}
    if preprocessing is not None:
        settings["preprocess_cfg"] = preprocessing
    (folder / "open_clip_config.json").write_text(json.dumps(settings))
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False, pretrained_text=False)
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


def _clip(folder: Path, text: dict[str, Any]) -> None:
    text["vocab_size"] = 49408  # Its tokenizer comes with open_clip.


def _siglip(folder: Path, text: dict[str, Any]) -> None:
    _fast(_unigrams(["<pad>", "</s>", "<unk>"]), "$A </s>", eos="</s>").save_pretrained(folder)
    text |= {
        "hf_tokenizer_name": "not/asked",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
        "act_kwargs": {"approximate": "tanh"},
    }


def _clipa(folder: Path, text: dict[str, Any]) -> None:
    pieces = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces.train_from_iterator(
        _words(), trainers.WordPieceTrainer(vocab_size=_VOCABULARY, special_tokens=marks)
    )
    BertTokenizer(vocab=pieces.get_vocab()).save_pretrained(folder)
    text |= {
        "hf_tokenizer_name": "not/asked",
        "tokenizer_kwargs": {"strip_sep_token": True},
        "no_causal_mask": True,
        "pool_type": "last",
    }


def _roberta(folder: Path, text: dict[str, Any]) -> None:
    vocabulary, merges = _byte_pairs(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    RobertaTokenizer(vocab=vocabulary, merges=merges).save_pretrained(folder)
    config = RobertaConfig(vocab_size=_VOCABULARY, pad_token_id=1, **_SIZES, **_POSITIONS)
    _hugging_face(folder, text, config, "mean_pooler")


def _xlm_roberta(folder: Path, text: dict[str, Any]) -> None:
    pieces = _pieces(["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"])
    XLMRobertaTokenizer(vocab=pieces).save_pretrained(folder)
    config = XLMRobertaConfig(vocab_size=_VOCABULARY, pad_token_id=1, **_SIZES, **_POSITIONS)
    _hugging_face(folder, text, config, "mean_pooler")


def _mt5(folder: Path, text: dict[str, Any]) -> None:
    T5Tokenizer(vocab=_pieces(["<pad>", "</s>", "<unk>"]), extra_ids=0).save_pretrained(folder)
    sizes = {"d_model": _WIDTH, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    _hugging_face(folder, text, MT5Config(vocab_size=_VOCABULARY, **sizes), "mean_pooler")


def _nllb(folder: Path, text: dict[str, Any]) -> None:
    vocabulary, merges = _byte_pairs(["<s>", "<pad>", "</s>", "<unk>"], space="▁")
    NllbTokenizer(
        vocab=vocabulary, merges=merges, extra_special_tokens=["eng_Latn", "deu_Latn"],
        src_lang="eng_Latn",
    ).save_pretrained(folder)  # fmt: skip
    config = M2M100Config(
        vocab_size=_VOCABULARY + 10, d_model=_WIDTH, encoder_layers=2, decoder_layers=1,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64,
        decoder_ffn_dim=64, max_position_embeddings=90,
    )  # fmt: skip
    _hugging_face(folder, text, config, "cls_pooler")


_NATIVE = ("clip", "siglip", "clipa")
_KINDS: dict[str, Callable[[Path, dict[str, Any]], None]] = {
    "clip": _clip,
    "siglip": _siglip,
    "clipa": _clipa,
    "roberta": _roberta,
    "xlm-roberta": _xlm_roberta,
    "mt5": _mt5,
    "nllb": _nllb,
}


def _hugging_face(folder: Path, text: dict[str, Any], config: Any, pooler: str) -> None:
    config.save_pretrained(folder / "text")
    text |= {
        "hf_model_name": str(folder / "text"),
        "hf_tokenizer_name": "not/asked",
        "hf_pooler_type": pooler,
    }


def _words() -> list[str]:
    return (_ROOT / "build/export/queries.txt").read_text(encoding="utf-8").splitlines()


def _unigrams(marks: list[str]) -> Tokenizer:
    fast = Tokenizer(models.Unigram())
    fast.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=_VOCABULARY - 10, special_tokens=marks, unk_token="<unk>"
    )
    fast.train_from_iterator(_words(), trainer)
    return fast


def _pieces(marks: list[str], last: list[str] | None = None) -> list[tuple[str, float]]:
    trained = json.loads(_unigrams(marks).to_str())["model"]["vocab"]
    return [(piece, score) for piece, score in trained] + [(mark, 0.0) for mark in last or []]


def _byte_pairs(
    marks: list[str], *, space: str | None = None
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    fast = Tokenizer(models.BPE(unk_token="<unk>"))
    fast.pre_tokenizer = (
        pre_tokenizers.Metaspace(replacement=space) if space else pre_tokenizers.ByteLevel()
    )
    alphabet = [] if space else pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY, special_tokens=marks, initial_alphabet=alphabet
    )
    fast.train_from_iterator(_words(), trainer)
    model = json.loads(fast.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def _fast(fast: Tokenizer, frame: str, *, eos: str) -> PreTrainedTokenizerFast:
    fast.post_processor = processors.TemplateProcessing(
        single=frame, special_tokens=[(eos, fast.token_to_id(eos))]
    )
    # SigLIP's pads with its end token.
    return PreTrainedTokenizerFast(
        tokenizer_object=fast, pad_token=eos, eos_token=eos, unk_token="<unk>"
    )
