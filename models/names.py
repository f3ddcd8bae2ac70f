"""Names within a sentence, told by how they are written: capitals and figures.

Whoever types ``photos by Alex Liivet`` has one word that no image's words have, and a name that
three of them have.  Which of the words is the name their writing says, as it does to a reader:
``Alex Liivet``, ``UT33C``, ``2009``.

>>> find_names("mariachi band in Mexico, Guadalajara".split())
['Mexico', 'Guadalajara']
>>> find_names("SpaceX launch pad in summer 2015".split())
['SpaceX', '2015']
"""

from __future__ import annotations

from collections.abc import Sequence

# "7 dogs" names nothing; a year does, and what is written on a device.
_SHORTEST_FIGURE = 3
_MARKS = "()[]{}.,;:!?'’-"
_END = (".", ",", ";", ":", ")", "]")


def find_names(words: Sequence[str]) -> list[str]:
    """The names among the words of a query, in its order; neighbours are one name.

    Where no word is written small, capitals say nothing, and there are none.  The first word has
    its capital in any case: it is a name where there is a figure or one more capital in it, or
    where the next is a part of the name, too.
    """
    if not any(word.strip(_MARKS)[:1].islower() for word in words):
        return []
    runs: list[list[str]] = [[]]
    for word in words:
        bare = word.strip(_MARKS)
        # "Falcon 9"; but not "9 falcons".
        marked = _is_marked(bare) or (bool(runs[-1]) and _has_figure(bare))
        if marked:
            runs[-1].append(bare)
        if runs[-1] and (not marked or word.endswith(_END)):
            runs.append([])
    first = words[0].strip(_MARKS)
    if runs[0] == [first] and first[1:] == first[1:].lower() and not _has_figure(first):
        del runs[0]
    names = map(" ".join, runs)
    return [name for name in names if len(name) > 1]


def _is_marked(bare: str) -> bool:
    return bare[:1].isupper() or (len(bare) >= _SHORTEST_FIGURE and _has_figure(bare))


def _has_figure(bare: str) -> bool:
    return any(map(str.isdigit, bare))
