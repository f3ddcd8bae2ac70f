"""Words of scripts that are written without spaces: Chinese, Japanese, Korean, Thai and the like.

The full-text index takes a run of letters for one word, so of ``東京タワーの夜景`` nothing less
than all of it would be found.  What is indexed of such a run are its pairs of neighbours, and its
last letter by itself::

    東京 京タ タワ ワー ーの の夜 夜景 景

Whatever is sought has to stand there letter by letter: its own pairs, one behind the other; one
letter is how a pair begins.  (Bigrams: Nie, Gao, Zhang, Zhou, On the Use of Words and N-grams for
Chinese Information Retrieval, 2000.)  Korean has spaces, but its words end in what belongs to the
sentence.  Vowels and tones that hang on a letter in Thai, Lao, Khmer and Burmese are no letters to
the index; so they are left out here, too.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

# Thai and Lao; Burmese; Khmer; letters of Korean; Chinese and Japanese; forms of other widths.
_LETTERS = (
    "\u0e00-\u0e4f\u0e80-\u0ecf\u1000-\u109f\u1780-\u17d3\u1100-\u11ff\u3130-\u318f\uac00-\ud7ff"
    "\u2e80-\u2fdf\u3005-\u3007\u3031-\u3035\u303b\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
_WIDTHS = "\uff00-\uffef"
_ANY = re.compile(f"[{_LETTERS}{_WIDTHS}]")
_RUN = re.compile(f"[{_LETTERS}]+")


def apart(text: str) -> str:
    """A text as it is indexed: runs of such scripts in pairs, all else as it is."""
    # Nearly every text.
    if text.isascii() or not _ANY.search(text):
        return text
    return _RUN.sub(
        lambda run: f" {' '.join(_pairs(run[0]))} ", unicodedata.normalize("NFKC", text)
    )


def sought(text: str) -> tuple[str, bool] | None:
    """What to look for instead of a text, None where that is the text itself.

    Returns:
        What has to stand there, one word behind the other, and whether the last of them is only
        how a word begins.
    """
    if text.isascii() or not _ANY.search(text):
        return None
    text = unicodedata.normalize("NFKC", text)
    runs = [run for run in _RUN.finditer(text) if _letters(run[0])]
    if not runs or any(map(str.isalnum, text[runs[-1].end() :])):
        return apart(text), False
    before, last = apart(text[: runs[-1].start()]), _letters(runs[-1][0])
    # What ends here may go on where it stands: no letter by itself, as at the end of a run.
    pairs = " ".join(map("".join, pairwise(last)))
    return f"{before} {pairs or last[0]}", not pairs


def _pairs(run: str) -> list[str]:
    letters = _letters(run)
    return [*map("".join, pairwise(letters)), *letters[-1:]]


def _letters(run: str) -> list[str]:
    return [letter for letter in run if letter.isalnum()]
