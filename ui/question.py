"""What the reader asks for, and the link that asks for it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

COUNTS = (12, 24, 48, 96)
MAX_TEXT = 1000
# Of the service's: serving/wire/fields.py and serving/algebra.py.
MAX_CHOSEN = 400
MAX_LIKES = 16
_MAX_SORT = 129
# How much an image may count where words count once: from the image above all to the words.
WEIGHTS = (4.0, 2.0, 1.0, 0.5, 0.25)
# A cosine: copies in other sizes, cuttings and bursts, but not much else (docs/relevance.md).
_ALIKE = 0.95


@dataclass(frozen=True)
class Question:
    """A search as the page's fields hold it.

    ``like`` is the id of an image, or several with commas between them, and ``weight`` how much
    each, or one that the reader brought, counts beside the text; ``ids`` are images that are
    shown themselves, where nothing else is sought; ``filter`` is the service's own filter, such as
    ``{"licence": "CC0", "year": {"gte": 1990}}``, and ``sort`` its order, such as ``-taken_at``,
    empty for that by relevance.  With ``fold`` what looks alike is shown once, where anything is
    sought.
    """

    text: str = ""
    negative: str = ""
    like: str | None = None
    filter: Mapping[str, Any] = field(default_factory=dict)
    k: int = COUNTS[0]
    ids: tuple[str, ...] = ()
    weight: float = 1.0
    sort: str = ""
    fold: bool = False

    @property
    def seeks(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self.text or self.like or self.ids)

    @property
    def browses(self) -> bool:
        """Whether images are to be seen that nobody seeks, filtered or in some order."""
        return not self.seeks and bool(self.filter or self.sort)

    def folds(self, upload: bool) -> bool:
        """Whether what looks alike is shown once: of what is sought, if only with an upload."""
        return self.fold and (upload or (self.seeks and not self.ids))

    @property
    def likes(self) -> tuple[str, ...]:
        """The ids of all images that others are to resemble."""
        return _read_ids(self.like or "")[:MAX_LIKES]

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> Question:
        """Read a link's query parameters; what makes no sense there is left out."""
        return cls(
            text=params.get("q", "").strip()[:MAX_TEXT],
            negative=params.get("not", "").strip()[:MAX_TEXT],
            like=params.get("like") or None,
            filter=_read_filter(params.get("filter", "")),
            k=_read_count(params.get("k", "")),
            ids=_read_ids(params.get("ids", ""))[:MAX_CHOSEN],
            weight=_read_weight(params.get("weight", "")),
            sort=_read_sort(params.get("sort", "")),
            fold=params.get("fold") == "1",
        )

    def to_params(self) -> dict[str, str]:
        """The query parameters of a link to this search, as short as can be."""
        params = {}
        if self.text:
            params["q"] = self.text
        if self.negative:
            params["not"] = self.negative
        if self.like:
            params["like"] = self.like
        if self.filter:
            params["filter"] = json.dumps(self.filter, ensure_ascii=False, sort_keys=True)
        if self.k != COUNTS[0]:
            params["k"] = str(self.k)
        if self.ids:
            params["ids"] = ",".join(self.ids)
        if self.like and self.text and self.weight != 1:
            params["weight"] = f"{self.weight:g}"
        if self.sort:
            params["sort"] = self.sort
        if self.fold:
            params["fold"] = "1"
        return params

    def body(self) -> dict[str, Any]:
        """The JSON of ``POST /search``: only what was said."""
        said: dict[str, Any] = self._beside_images()
        if not self.seeks:
            # There is nothing that it could be taken from, and the service folds what is sought.
            del said["negative"], said["fold"]
        weight = {"weight": self.weight} if self.text and self.weight != 1 else {}
        if len(self.likes) > 1 or (self.likes and weight):
            said["queries"] = [{"like": one} | weight for one in self.likes]
        else:
            said["like"] = self.likes[0] if self.likes else None
        # The images that others are to resemble come first themselves, and are no news.
        k = min(self.k + len(self.likes), 100)
        return {"k": k} | {name: value for name, value in said.items() if value}

    def form(self) -> dict[str, str]:
        """The fields of ``POST /search_by_image`` beside the image: only what was said."""
        said = self._beside_images()
        fields = {"k": str(self.k)}
        for name, value in said.items():
            if value:
                plain = isinstance(value, str)
                fields[name] = value if plain else json.dumps(value, ensure_ascii=False)
        if self.text and self.weight != 1:
            fields["weight"] = f"{self.weight:g}"
        return fields

    def _beside_images(self) -> dict[str, Any]:
        said: dict[str, Any] = {"query": self.text, "negative": self.negative}
        said |= {"filter": dict(self.filter), "sort": self.sort}
        said["fold"] = _ALIKE if self.fold else None
        # By words as well as by looks, and told where the keys have slipped.
        return said | ({"mode": "auto", "spelling": True} if self.text else {})

    def link(self) -> str:
        """The address of this search, relative to the page."""
        return "?" + urlencode(self.to_params())


def _read_ids(value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, value.split(","))))


def _read_count(value: str) -> int:
    return int(value) if value in map(str, COUNTS) else COUNTS[0]


def _read_sort(value: str) -> str:
    sort = value.strip()
    return sort if len(sort) <= _MAX_SORT and sort != "relevance" else ""


def _read_weight(value: str) -> float:
    return next((weight for weight in WEIGHTS if f"{weight:g}" == value), 1.0)


def _read_filter(value: str) -> dict[str, Any]:
    try:
        conditions = json.loads(value)
        # Python reads what it would not write: NaN, half a surrogate pair.
        json.dumps(conditions, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return {}
    return conditions if isinstance(conditions, dict) else {}
