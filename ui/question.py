"""What the reader asks for, and the link that asks for it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

COUNTS = (12, 24, 48, 96)
MAX_TEXT = 1000


@dataclass(frozen=True)
class Question:
    """A search as the page's fields hold it.

    ``like`` is the id of a picture; ``filter`` is the service's own filter, such as
    ``{"licence": "CC0", "year": {"gte": 1990}}``.
    """

    text: str = ""
    negative: str = ""
    like: str | None = None
    filter: Mapping[str, Any] = field(default_factory=dict)
    k: int = COUNTS[0]

    @property
    def seeks(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self.text or self.like)

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> Question:
        """Read a link's query parameters; what makes no sense there is left out."""
        return cls(
            text=params.get("q", "").strip()[:MAX_TEXT],
            negative=params.get("not", "").strip()[:MAX_TEXT],
            like=params.get("like") or None,
            filter=_read_filter(params.get("filter", "")),
            k=_read_count(params.get("k", "")),
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
        return params

    def body(self) -> dict[str, Any]:
        """The JSON of ``POST /search``: only what was said."""
        said = {
            "query": self.text,
            "negative": self.negative,
            "like": self.like,
            "filter": dict(self.filter),
        }
        # With ``like``, the picture itself comes first, and is not news.
        k = min(self.k + 1, 100) if self.like else self.k
        return {"k": k} | {name: value for name, value in said.items() if value}

    def link(self) -> str:
        """The address of this search, relative to the page."""
        return "?" + urlencode(self.to_params())


def _read_count(value: str) -> int:
    return int(value) if value in map(str, COUNTS) else COUNTS[0]


def _read_filter(value: str) -> dict[str, Any]:
    try:
        conditions = json.loads(value)
        # Python reads what it would not write: NaN, half a surrogate pair.
        json.dumps(conditions, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return {}
    return conditions if isinstance(conditions, dict) else {}
