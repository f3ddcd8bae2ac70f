"""Texts to token ids, the same that open_clip gives, without PyTorch.

``tokenizer.json`` holds the checkpoint's own vocabulary and everything that follows the
cleaning: how the text is split, merged, cut to the context and framed by its start and
end tokens.  The cleaning itself is Python's, as in open_clip's ``tokenizer.py``.
"""

from __future__ import annotations

import html
import string
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import tokenizers

from models.damage import DamagedError
from models.file_names import TOKENIZER
from models.model_card import ModelCard

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
# What open_clip's pattern takes for a token of its own where a user happens to write it.
_MARKERS = ("<start_of_text>", "<end_of_text>")


class Tokenizer:
    """The tokenizer of a model package or bundle.

        >>> tokenizer = Tokenizer.load(Path("demo/model"), card)
        >>> tokenizer.encode(["a red fox"])
        [[49406, 320, 736, 3240, 49407]]

    Args:
        fast: the tokenizer that ``tokenizer.json`` describes.
        card: how texts are cleaned, and the context length.
    """

    def __init__(self, fast: tokenizers.Tokenizer, card: ModelCard) -> None:
        self._fast = fast
        self._clean = _CLEANINGS[card.tokens.cleaning]
        self._tokens = card.tokens
        self._context_length = card.context_length
        self._any_length = card.any_length

    @classmethod
    def load(cls, folder: Path, card: ModelCard, content: bytes | None = None) -> Tokenizer:
        """Read ``tokenizer.json`` from a model package or bundle.

        Args:
            folder: the package or bundle.
            card: what the model is.
            content: what is in the file, where the caller has read it already.

        Raises:
            DamagedError: the file is missing or holds no tokenizer.
        """
        path = folder / TOKENIZER
        try:
            fast = (
                tokenizers.Tokenizer.from_file(str(path))
                if content is None
                else tokenizers.Tokenizer.from_buffer(content)
            )
        except Exception as error:
            raise DamagedError(f"{path} cannot be read: {error}. Export it again.") from None
        return cls(fast, card)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text, its start and end token among them.

        A text that is too long loses its tail and keeps its end token.  The ids are as
        many as the text has where the model takes texts of any length, and padded to the
        context length where it does not.
        """
        return [self.pad(ids) for ids in self.unpadded(texts)]

    def unpadded(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text, as many as it has with any model."""
        return [self._encode(self._clean(text)) for text in texts]

    def pad(self, ids: list[int]) -> list[int]:
        """The ids of a text, as many as the model takes."""
        return (
            ids
            if self._any_length
            else ids + [self._tokens.pad_id] * (self._context_length - len(ids))
        )

    def _encode(self, text: str) -> list[int]:
        if self._tokens.start_id is not None and any(marker in text for marker in _MARKERS):
            return self._encode_with_markers(text)
        ids = list(self._fast.encode(text).ids)
        if (zeroed := self._tokens.zeroed_id) is not None:
            return [0 if one == zeroed else one for one in ids]
        return ids

    def _encode_with_markers(self, text: str) -> list[int]:
        """Ids of a text that spells out a special token, as open_clip's pattern reads it.

        It is one only where a token can begin: after a letter, a digit, a space or
        another one.  After punctuation it belongs to the run of punctuation.
        """
        assert self._tokens.start_id is not None
        assert self._tokens.end_id is not None
        markers = dict(zip(_MARKERS, (self._tokens.start_id, self._tokens.end_id), strict=True))
        ids = [self._tokens.start_id]
        done = at = 0
        while at < len(text):
            marker = next((m for m in markers if text.startswith(m, at)), None)
            if marker is None or not (at == done or _ends_a_token(text[at - 1])):
                at += 1
                continue
            ids += self._bare_ids(text[done:at])
            ids.append(markers[marker])
            done = at = at + len(marker)
        ids += self._bare_ids(text[done:])
        return [*ids[: self._context_length - 1], self._tokens.end_id]

    def _bare_ids(self, text: str) -> list[int]:
        return list(self._fast.encode(text, add_special_tokens=False).ids)


def _ends_a_token(character: str) -> bool:
    return character.isspace() or unicodedata.category(character)[0] in "LN"


def _basic(text: str) -> str:
    """open_clip's ``basic_clean``."""
    if text.isascii() and text.isprintable() and "&" not in text:
        # Here neither of the two has anything to mend, and ftfy costs more than the rest
        # of the tokenizer.
        return text.strip()
    import ftfy

    return html.unescape(html.unescape(ftfy.fix_text(text))).strip()


def _whitespace(text: str) -> str:
    return " ".join(_basic(text).split())


def _lower(text: str) -> str:
    return _whitespace(text).lower()


def _canonicalize(text: str) -> str:
    """big_vision's way: no punctuation, lower case, single spaces."""
    bare = _basic(text).replace("_", " ").translate(_NO_PUNCTUATION)
    return " ".join(bare.lower().split())


_CLEANINGS: dict[str, Callable[[str], str]] = {
    "lower": _lower,
    "whitespace": _whitespace,
    "canonicalize": _canonicalize,
}
