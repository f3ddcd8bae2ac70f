"""The text tower: open_clip's own transformer, taught by MPNet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from numpy.typing import NDArray
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transformer import TextTransformer
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import trange

from build.demo_model.kept import kept_as
from build.demo_model.teacher import DIM, Teacher

CONTEXT_LENGTH = 32
WIDTH = 256
LAYERS = 4
HEADS = 4
_BATCH = 384
_RATE = 1.2e-3
_BATCHES_TO_SORT = 32
_SIMILARITY_TEMPERATURE = 0.05
_SAVE_EVERY = 200
_ALIGN_RATE = 3e-4
_ALIGN_LESSONS = 256
_ALIGN_TEXTS = 192
_ALIGN_PARTS = 4
_ALIGN_IMAGES = 1024
_ALIGN_SHARE = 0.15


def make_tokenizer() -> SimpleTokenizer:
    """CLIP's byte-pair tokenizer at the demo model's context length."""
    return SimpleTokenizer(context_length=CONTEXT_LENGTH)


def make_student(vocabulary: int) -> TextTransformer:
    """The untrained text tower."""
    return TextTransformer(
        context_length=CONTEXT_LENGTH,
        vocab_size=vocabulary,
        width=WIDTH,
        heads=HEADS,
        layers=LAYERS,
        output_dim=DIM,
    )


def start_from_word_pieces(
    student: TextTransformer, tokenizer: SimpleTokenizer, teacher: Teacher
) -> None:
    """Give each token the mean of the teacher's word pieces for it, in 256 dimensions."""
    pieces = teacher.piece_vectors()
    pieces = pieces - pieces.mean(0)
    _, _, axes = torch.pca_lowrank(pieces, WIDTH, center=False)
    pieces = pieces @ axes
    pieces *= 0.05 / pieces.std()
    table = torch.randn(tokenizer.vocab_size, WIDTH) * 0.01
    for token, row in tokenizer.encoder.items():
        letters = [tokenizer.byte_decoder.get(sign) for sign in token.removesuffix("</w>")]
        if None in letters or token in tokenizer.cache:
            continue
        word = bytes(letters).decode("utf-8", errors="ignore").strip()
        found = teacher.word_pieces(word, ends=token.endswith("</w>")) if word else []
        if found:
            table[row] = pieces[found].mean(0)
    student.token_embedding.weight.data.copy_(table)


def token_ids(tokenizer: SimpleTokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Start token, at most 30 others, end token."""
    start, end = tokenizer.sot_token_id, tokenizer.eot_token_id
    longest = CONTEXT_LENGTH - 2
    return [[start, *tokenizer.encode(text)[:longest], end] for text in texts]


def embed(student: TextTransformer, ids: torch.Tensor) -> torch.Tensor:
    """Unit vectors ``[n, 384]`` of padded ids ``[n, tokens]``.

    ``TextTransformer.forward`` wants texts of the full context length; this is the same
    computation on as many tokens as the longest text of the batch has.
    """
    tokens = ids.shape[1]
    hidden = student.token_embedding(ids) + student.positional_embedding[:tokens]
    hidden = student.transformer(hidden, attn_mask=student.attn_mask[:tokens, :tokens])
    last = hidden[torch.arange(len(ids)), ids.argmax(1)]
    return F.normalize(student.ln_final(last.float()) @ student.text_projection, dim=-1)


@torch.no_grad()
def encode(
    student: TextTransformer, tokenizer: SimpleTokenizer, texts: Sequence[str]
) -> NDArray[np.float32]:
    """float32 ``[n, 384]``, rows of length one."""
    ids = token_ids(tokenizer, texts)
    lengths = np.array([len(row) for row in ids])
    vectors = np.empty((len(texts), DIM), dtype=np.float32)
    order = np.argsort(lengths, kind="stable")
    student.eval()
    with sdpa_kernel(SDPBackend.MATH):
        for start in range(0, len(order), 512):
            rows = order[start : start + 512]
            vectors[rows] = embed(student, _padded(ids, lengths, rows)).numpy()
    return vectors


def distil(
    student: TextTransformer,
    tokenizer: SimpleTokenizer,
    texts: Sequence[str],
    targets: NDArray[np.float32],
    *,
    steps: int,
    seed: int,
    checkpoint: Path,
    log: Callable[[str], None],
) -> None:
    """Train the student to give each text its target vector.

    The loss is the cosine distance, and how far the similarities within a batch are from
    the targets' (Kullback-Leibler, temperature 0.05).  Stopped and called again, it goes
    on from ``checkpoint``.
    """
    goals = torch.from_numpy(targets)
    ids = token_ids(tokenizer, texts)
    lengths = np.array([len(row) for row in ids])
    matrices = [p for n, p in student.named_parameters() if p.ndim > 1 and "embedding" not in n]
    others = [p for n, p in student.named_parameters() if p.ndim < 2 or "embedding" in n]
    optimiser = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}],
        lr=_RATE,
        betas=(0.9, 0.98),
        fused=True,
    )
    done = _resume(checkpoint, student, optimiser)
    batches = _batches(lengths, _BATCH, seed)
    student.train()
    progress = trange(steps, desc="student", unit="step")
    for step in progress:
        rows = next(batches)
        if step < done:
            continue
        warm = min(1.0, (step + 1) / 200)
        for group in optimiser.param_groups:
            group["lr"] = _RATE * warm * (0.49 * (1 + math.cos(math.pi * step / steps)) + 0.02)
        goal = goals[rows]
        # Flash attention's backward takes longer than all the rest on texts this short.
        with sdpa_kernel(SDPBackend.MATH), torch.autocast("cpu", torch.bfloat16):
            vectors = embed(student, _padded(ids, lengths, rows)).float()
        cosine = (vectors * goal).sum(1).mean()
        loss = _distance(vectors, goal)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()
        progress.set_postfix(cosine=f"{cosine.item():.3f}")
        if (step + 1) % _SAVE_EVERY == 0 or step + 1 == steps:
            log(f"student step {step + 1}/{steps} cosine {cosine.item():.4f}")
            _save(checkpoint, student, optimiser, step + 1)


@dataclass(frozen=True)
class Answers:
    """Texts and the images that answer them.

    ``texts`` are those of all concepts in their concepts' order, ``starts``
    ``[concepts + 1]`` says where each concept's begin; ``images`` are the image tower's
    vectors ``[n, 384]``, ``concept`` ``[n]`` the concept of each, ``weight`` ``[n]`` how
    often each is drawn.
    """

    texts: Sequence[str]
    starts: NDArray[np.int64]
    images: torch.Tensor
    concept: torch.Tensor
    weight: torch.Tensor


def align(
    student: TextTransformer,
    tokenizer: SimpleTokenizer,
    texts: Sequence[str],
    targets: NDArray[np.float32],
    answers: Answers,
    *,
    steps: int,
    seed: int,
) -> None:
    """Draw the student towards the images that its texts should find.

    The image tower stays as it is.  Half of each batch goes on learning from the
    teacher (see :func:`distil`), so that words without an image keep their meaning.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    goals = torch.from_numpy(targets)
    ids = token_ids(tokenizer, texts)
    lengths = np.array([len(row) for row in ids])
    asked = token_ids(tokenizer, answers.texts)
    asked_lengths = np.array([len(row) for row in asked])
    optimiser = torch.optim.AdamW(
        student.parameters(), lr=_ALIGN_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True
    )
    lessons = _batches(lengths, _ALIGN_LESSONS, seed)
    student.train()
    for step in trange(steps, desc="alignment", unit="step"):
        for group in optimiser.param_groups:
            cosine = 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.01
            group["lr"] = _ALIGN_RATE * min(1.0, (step + 1) / 50) * cosine
        rows = next(lessons)
        drawn = torch.multinomial(answers.weight, _ALIGN_IMAGES, replacement=True)
        concept = answers.concept[drawn]
        mine = concept[:_ALIGN_TEXTS]
        chosen = rng.integers(answers.starts[mine], answers.starts[mine + 1])
        with sdpa_kernel(SDPBackend.MATH), torch.autocast("cpu", torch.bfloat16):
            vectors = embed(student, _padded(ids, lengths, rows)).float()
            queries = _embed_parts(student, asked, asked_lengths, chosen).float()
        scores = queries @ answers.images[drawn].T / _SIMILARITY_TEMPERATURE
        hits = scores.masked_fill(mine[:, None] != concept[None, :], -torch.inf)
        missed = (scores.logsumexp(1) - hits.logsumexp(1)).mean()
        loss = _distance(vectors, goals[rows]) + _ALIGN_SHARE * missed
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()
    student.eval()


def _distance(vectors: torch.Tensor, goals: torch.Tensor) -> torch.Tensor:
    """Cosine distance, and how far the similarities within the batch are from the goals'."""
    structure = F.kl_div(
        F.log_softmax(vectors @ goals.T / _SIMILARITY_TEMPERATURE, 1),
        F.softmax(goals @ goals.T / _SIMILARITY_TEMPERATURE, 1),
        reduction="batchmean",
    )
    return 4 * (1 - (vectors * goals).sum(1).mean()) + 0.3 * structure


def _batches(lengths: NDArray[np.int64], batch: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Rows of texts of about the same length, for ever."""
    rng = np.random.default_rng(seed)
    while True:
        shuffled = rng.permutation(len(lengths))
        batches = []
        for start in range(0, len(shuffled), batch * _BATCHES_TO_SORT):
            part = shuffled[start : start + batch * _BATCHES_TO_SORT]
            part = part[np.argsort(lengths[part], kind="stable")]
            batches += [part[i : i + batch] for i in range(0, len(part) - batch + 1, batch)]
        rng.shuffle(batches)
        yield from batches


def _embed_parts(
    student: TextTransformer,
    ids: list[list[int]],
    lengths: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> torch.Tensor:
    """Vectors of texts of any lengths, in parts by length so that little is padding."""
    order = np.argsort(lengths[rows], kind="stable")
    parts = np.array_split(rows[order], _ALIGN_PARTS)
    vectors = torch.cat([embed(student, _padded(ids, lengths, part)) for part in parts])
    return vectors[np.argsort(order)]


def _padded(
    ids: list[list[int]], lengths: NDArray[np.int64], rows: NDArray[np.int64]
) -> torch.Tensor:
    padded = torch.zeros(len(rows), int(lengths[rows].max()), dtype=torch.long)
    for line, row in enumerate(rows):
        padded[line, : lengths[row]] = torch.tensor(ids[row])
    return padded


def _save(
    path: Path, student: TextTransformer, optimiser: torch.optim.Optimizer, step: int
) -> None:
    state = {"student": student.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
    with kept_as(path) as part:
        torch.save(state, part)


def _resume(path: Path, student: TextTransformer, optimiser: torch.optim.Optimizer) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    student.load_state_dict(state["student"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])
