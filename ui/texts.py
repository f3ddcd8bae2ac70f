"""What the page says: a text for everything, which each language fills in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Texts:
    """The page's words; ``{name}`` marks what is filled in.

    A pair of texts is for one and for several.
    """

    language: str
    decimal: str
    tagline: str
    images: tuple[str, str]
    skip: str
    search: str
    query: str
    query_more: str
    query_hint: str
    refine: str
    negative: str
    negative_hint: str
    lean: str
    leans: tuple[str, ...]
    count: str
    fold: str
    folded: str
    any: str
    at_least: str
    at_most: str
    all_but: str
    bars: str
    fields: Mapping[str, str]
    filters: str
    take_away: str
    clear_all: str
    only_with: str
    order: str
    by_relevance: str
    newest: str
    oldest: str
    by_path: str
    newest_images: str
    some_images: str
    all_images: str
    upload: str
    upload_label: str
    upload_hint: str
    upload_with: str
    speak: str
    listening: str
    unheard: str
    not_a_recording: str
    speech_trouble: str
    searching: str
    start: str
    start_negative: str
    for_example: str
    meant: str
    found_in: str
    places: Mapping[str, str]
    found: tuple[str, str]
    found_of: str
    more: str
    more_came: tuple[str, str]
    let_go: tuple[str, str]
    to_first: str
    for_query: str
    for_like: str
    for_both: str
    for_upload: str
    for_upload_both: str
    without: str
    chosen: str
    yours: str
    weaker: tuple[str, str]
    weaker_folded: tuple[str, str]
    weaker_hint: str
    none_close: str
    read: str
    none: str
    none_hint: str
    none_filter: str
    drop_filter: str
    drop_like: str
    drop_upload: str
    like: str
    like_this: str
    alike: tuple[str, str]
    alike_these: tuple[str, str]
    alike_first: tuple[str, str]
    similarity: str
    details: str
    larger: str
    previous: str
    next: str
    close: str
    n_of_all: str
    copy_path: str
    path_copied: str
    download: str
    choose: str
    n_chosen: tuple[str, str]
    none_chosen: str
    n_elsewhere: tuple[str, str]
    like_these: str
    like_first: str
    zip: str
    zip_most: str
    zip_coming: str
    zip_ready: tuple[str, str]
    zip_trouble: str
    csv: str
    copy_paths: str
    paths_copied: str
    copy_link: str
    clear: str
    keys: str
    chosen_images: tuple[str, str]
    gone: tuple[str, str]
    drop_likes: str
    text_within: str
    full_size: str
    broken: str
    renewed: str
    offline: str
    refused_upload: str
    only: str
    image: str
    image_of: str
    link: str
    copied: str
    how: str
    how_model: str
    how_index: str
    how_total: str
    how_scale: str
    how_weaker: str
    steps: tuple[tuple[str, str], ...]
    again: str
    down: str
    down_hint: str
    slow: str
    slow_hint: str
    busy: str
    busy_hint: tuple[str, str]
    refused: str
    refused_hint: str
    locked: str
    locked_hint: str
    failed: str
    failed_hint: str
    like_gone: str
    not_an_image: str

    def number(self, value: float, decimals: int = 2) -> str:
        """A number as it is written in this language."""
        return f"{value:.{decimals}f}".replace(".", self.decimal)

    def some(self, texts: tuple[str, str], number: int) -> str:
        """The form of a text that goes with a number, filled in."""
        return texts[number != 1].format(n=number)
