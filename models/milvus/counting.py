"""Of each value of a field, how many images in Milvus have it: what models/facets.py tells.

Over all images the facets that were counted when the bundle was built are told.  Over some, what
is known of these is fetched and counted here; whether a field's numbers are listed or cut into
parts, and whether its texts are dates, goes by what all have, as far as that was counted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from models.database import SlowQueryError
from models.facet_counts import Facet, facet_of
from models.facets import Facets
from models.facts import facts_of
from models.filters import Kind, Value, nfc
from models.milvus import expressions
from models.milvus.questions import Questions
from models.runs import Gathered, Run

# As many as Milvus gives in one answer.
MOST = 16_384
_SAYING: tuple[Kind, ...] = ("boolean", "number", "text")
_Known = dict[str, dict[Kind, Gathered]]


def count(
    questions: Questions, offered: dict[str, Facet], fields: Sequence[str], kept: str | None
) -> Facets:
    """The facets of some fields over some images.

    Args:
        questions: asks the collection.
        offered: the facets over all images, by field, that were counted before.
        fields: their names.
        kept: the expression of the images; None for all.

    Raises:
        SlowQueryError: it takes too long, or there are more than ``MOST`` to count.
    """
    found: dict[str, Facet] = {}
    warnings = []
    known: _Known | None = None
    images = 0
    with questions.deadline() as deadline:
        for asked in fields:
            field = nfc(asked)
            if kept is None and field in offered:
                found[asked] = offered[field]
                continue
            if known is None:
                known, images = _known(questions, {*map(nfc, fields)}, kept)
            deadline.check()
            if not questions.is_there(expressions.of_field(field)):
                warnings.append(f"no image has a field {asked!r}")
            found[asked] = _facet(known.get(field, {}), images, offered.get(field))
    return Facets(found, warnings)


def _known(questions: Questions, fields: set[str], kept: str | None) -> tuple[_Known, int]:
    """The values of some fields, and how many images were looked at."""
    among = expressions.EVERYTHING if kept is None else kept
    if questions.count(among) > MOST:
        raise SlowQueryError(f"more than {MOST} images are not counted one by one")
    known: _Known = {}
    rows = questions.rows(among, ["item"], MOST)
    for number, row in enumerate(rows):
        for name, value in json.loads(row["item"])["metadata"].items():
            if nfc(name) in fields:
                kinds = known.setdefault(nfc(name), {})
                for kind, each in facts_of(value):
                    kinds.setdefault(kind, Gathered()).add(each, number)
    return known, len(rows)


def _facet(kinds: dict[Kind, Gathered], images: int, offered: Facet | None) -> Facet:
    saying = {kind: kinds[kind] for kind in _SAYING if kind in kinds}
    if (set(saying) == {"text"}) if offered is None else "dates" in offered:
        texts = saying.get("text", Gathered())
        months = texts.months()
        if months is None and offered is not None:
            # Years alone, of a field in which others have months.
            months = texts
        if months is not None:
            saying = {"month": months}
    values: dict[Run, Sequence[Value]] = {}
    for kind, gathered in saying.items():
        values |= gathered.runs(kind, len(values))
    if not values and offered is not None and "dates" in offered:
        return {"dates": [], "total": 0, "missing": images}
    return facet_of(
        list(values),
        values.__getitem__,
        np.ones(images, dtype=np.bool_),
        many_numbers=offered is not None and "histogram" in offered,
    )
