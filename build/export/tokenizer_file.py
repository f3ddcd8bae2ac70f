"""open_clip's tokenizers as ``tokenizer.json`` for the ``tokenizers`` library.

The file holds all that follows the cleaning: splitting, merging, framing and cutting.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tokenizers
from open_clip import tokenizer as open_clip_tokenizer
from tokenizers import Regex, models, pre_tokenizers, processors

from build.errors import BuildError
from models.manifest import TextTokens

# open_clip's pattern without the special tokens, which models/tokenizer.py looks after. Its own
# takes no notice of case, so that U+0345, a mark whose capital is a letter, is of neither kind.
_PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}\x{345}]+"


def write_tokenizer(tokenizer: Any, context_length: int, path: Path) -> TextTokens:
    """Write ``tokenizer.json`` and say how texts are cleaned before it.

    Raises:
        BuildError: the tokenizer is of a kind that cannot be carried over.
    """
    if isinstance(tokenizer, open_clip_tokenizer.SimpleTokenizer):
        fast, tokens = _byte_pairs(tokenizer, context_length)
    elif isinstance(tokenizer, open_clip_tokenizer.HFTokenizer):
        fast, tokens = _hugging_face(tokenizer, context_length)
    else:
        raise BuildError(f"tokenizers of the kind {type(tokenizer).__name__} cannot be exported")
    compact = json.dumps(json.loads(fast.to_str()), ensure_ascii=False, separators=(",", ":"))
    path.write_text(compact, encoding="utf-8")
    return tokens


def _byte_pairs(
    tokenizer: open_clip_tokenizer.SimpleTokenizer, context_length: int
) -> tuple[tokenizers.Tokenizer, TextTokens]:
    if tokenizer.reduction_fn is not None:
        raise BuildError(
            "the tokenizer drops tokens of long texts at random; that cannot be exported"
        )
    merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__)
    model = models.BPE(vocab=dict(tokenizer.encoder), merges=merges, end_of_word_suffix="</w>")
    fast = tokenizers.Tokenizer(model)
    fast.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PATTERN), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    start, end = "<start_of_text>", "<end_of_text>"
    start_id, end_id = tokenizer.sot_token_id, tokenizer.eot_token_id
    fast.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(start, start_id), (end, end_id)]
    )
    fast.enable_truncation(context_length)
    cleaning = _cleaning(tokenizer)
    return fast, TextTokens(cleaning=cleaning, start_id=start_id, end_id=end_id, pad_id=0)


def _hugging_face(
    tokenizer: open_clip_tokenizer.HFTokenizer, context_length: int
) -> tuple[tokenizers.Tokenizer, TextTokens]:
    inner = tokenizer.tokenizer
    if tokenizer.tokenizer_mode or not inner.is_fast or inner.padding_side != "right":
        raise BuildError("this model's tokenizer works in a way that cannot be carried over")
    fast = tokenizers.Tokenizer.from_str(inner.backend_tokenizer.to_str())
    fast.enable_truncation(context_length)
    # Padding is models/tokenizer.py's affair.
    fast.no_padding()
    cleaning = _cleaning(tokenizer)
    return fast, TextTokens(
        cleaning=cleaning,
        start_id=None,
        end_id=None,
        pad_id=inner.pad_token_id,
        zeroed_id=inner.sep_token_id if tokenizer.strip_sep_token else None,
    )


def _cleaning(tokenizer: Any) -> Any:
    """The name of the cleaning function that open_clip gave the tokenizer."""
    for name in ("lower", "whitespace", "canonicalize"):
        if tokenizer.clean_fn is open_clip_tokenizer.get_clean_fn(name):
            return name
    raise BuildError("the tokenizer cleans texts in a way that is not known here")
