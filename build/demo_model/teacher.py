"""MiniLM, the sentence encoder whose space the demo model's texts and pictures share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm
from transformers import AutoModel, AutoTokenizer

DIM = 384
_BATCH = 256
_LONGEST = 64


class Teacher:
    """all-MiniLM-L6-v2: the mean of the token vectors, of unit length."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder).eval()

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 ``[n, 384]``, rows of length one."""
        vectors = np.empty((len(texts), DIM), dtype=np.float32)
        # Texts of one length share a batch, so that little is padding.
        order = np.argsort([len(text) for text in texts], kind="stable")
        starts = range(0, len(order), _BATCH)
        for start in tqdm(starts, desc="teacher", unit="batch", disable=len(order) < 4 * _BATCH):
            rows = order[start : start + _BATCH]
            batch = self._tokenizer(
                [texts[row] for row in rows],
                padding=True,
                truncation=True,
                max_length=_LONGEST,
                return_tensors="pt",
            )
            with torch.autocast("cpu", torch.bfloat16):
                tokens = self._model(**batch).last_hidden_state.float()
            mask = batch["attention_mask"].unsqueeze(-1).float()
            mean = (tokens * mask).sum(1) / mask.sum(1)
            vectors[rows] = torch.nn.functional.normalize(mean, dim=-1).numpy()
        return vectors

    def word_pieces(self, word: str, *, ends: bool) -> list[int]:
        """The pieces of a whole word (``ends``), or of one that goes on."""
        tokenizer = self._tokenizer
        whole = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(word))
        pieces = whole if ends else [tokenizer.convert_tokens_to_ids(f"##{word}")]
        known = [piece for piece in pieces if piece != tokenizer.unk_token_id]
        return known or [piece for piece in whole if piece != tokenizer.unk_token_id]

    def piece_vectors(self) -> torch.Tensor:
        """The word pieces' own vectors, ``[30522, 384]``."""
        weight: torch.Tensor = self._model.embeddings.word_embeddings.weight.detach()
        return weight
