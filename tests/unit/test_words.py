"""Images by their words: whatever is typed, and only what somebody has said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import models.words
from models.database import FULL_TEXT, Database, SlowQueryError, new_database
from models.folder import Folder
from models.items import Item, ItemStore, item_id, write_items
from models.manifest import DamagedError, record_files
from models.words import COLUMNS

FIELDS = ("title", "headline", "keywords", "creator", "people", "city", "country", "location")


def item(position: int, caption: str | None = None, by: str = "iptc", **said: Any) -> Item:
    path = said.pop("path", f"{position}.jpg")
    return Item(
        position=position,
        id=item_id(path),
        image_path=path,
        width=1,
        height=1,
        caption=caption,
        alt_text=said.pop("alt_text", caption or "Picture"),
        text=said.pop("text", None),
        metadata=said,
        sources=dict.fromkeys(("caption", "alt_text", *said), by),
    )


ITEMS = [
    item(0, "A red fox in the snow", keywords=["Winter", "animal"], city="Zürich"),
    item(1, "Snow on a red roof", creator=["Ana Müller"], title="Dächer"),
    item(2, "A fox", by="captioner", keywords=["fox"]),
    item(3, "The café of the Red Fox", by="sidecar", country="France"),
    item(4, None, text="NO ENTRY\nAuthorised staff only", path="signs/no_entry-07.jpg"),
    item(5, "fox fox fox", by="xmp", people=["Red Adair"], path="ocean/blue-whale.webp"),
    item(6, "", by="tags", alt_text="Probably: fox"),
]


def opened(folder: Path, items: Sequence[Item]) -> ItemStore:
    write_items(folder / "items.sqlite", items)
    files = Folder(folder)
    files.open(record_files(folder, ["items.sqlite"]))
    return ItemStore(Database(files, "items.sqlite", files.read("items.sqlite")))


def test_a_field_without_a_source_is_a_sidecar_s(tmp_path: Path) -> None:
    """So the build leaves them out: build/metadata/description.py."""
    given = replace(item(0, keywords=["winter"]), sources={})
    named = opened(tmp_path, [given]).named("winter", None)
    assert named.rankings == {"keywords": [0]}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ItemStore:
    return opened(tmp_path_factory.mktemp("words"), ITEMS)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fox", {"caption": [5, 0, 3]}),
        ("FOX, red!", {"caption": [5, 0, 3], "people": [5]}),
        ("red snow", {"caption": [1, 0]}),
        ("cafe", {"caption": [3]}),
        ("CAFÉ", {"caption": [3]}),
        ("zurich winter", {"keywords": [0], "place": [0]}),
        ("france fox", {"caption": [3], "place": [3]}),
        ("muller", {"people": [1]}),
        ("dacher", {"caption": [1]}),
        ("authorised staff", {"text": [4]}),
        ("no entry", {"text": [4], "path": [4]}),
        ("07", {"path": [4]}),
        ("ocean whale", {"path": [5]}),
        ("jpg", {}),
        ("probably", {}),
        ("wint", {}),
        ("wint*", {"keywords": [0]}),
        ("*", {}),
        ("a fox in the snow", {"caption": [0]}),
        ("'an' fox in the snow", {"caption": [0]}),
        ("the", {"caption": [3, 0]}),
        ("fox wolf", {}),
        ("---", {}),
    ],
)
def test_all_words_have_to_be_said_in_whatever_column(
    store: ItemStore, query: str, found: dict[str, list[int]]
) -> None:
    named = store.named(query, None)
    assert {name: sorted(best) for name, best in named.rankings.items()} == {
        name: sorted(best) for name, best in found.items()
    }
    assert named.must is None
    if query == "fox":
        assert named.rankings["caption"][0] == 5, "it says so most often, and nothing else"


@pytest.mark.parametrize(
    ("query", "must", "found"),
    [
        ('"red fox"', [0, 3], {"caption": [0, 3]}),
        ('"fox red"', [], {}),
        ("“red fox” snow", [0, 3], {"caption": [0]}),
        ("„red fox“ «the cafe»", [3], {"caption": [3]}),
        ('"in the"', [0], {"caption": [0]}),
        ('"red fox', None, {"caption": [0, 3, 5], "people": [5]}),
        ('"" fox', None, {"caption": [0, 3, 5]}),
        ('"!?" fox', None, {"caption": [0, 3, 5]}),
    ],
)
def test_what_is_quoted_has_to_stand_there(
    store: ItemStore, query: str, must: list[int] | None, found: dict[str, list[int]]
) -> None:
    named = store.named(query, None)
    assert (None if named.must is None else named.must.tolist()) == must
    assert {name: sorted(best) for name, best in named.rankings.items()} == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("photographs by Ana Müller", {"people": [1]}),
        ("image of the Red Fox at dusk", {"caption": [0, 3]}),
        ("dusk in Zürich, Winter", {"keywords": [0], "place": [0]}),
        # A name that nobody is called is as if it was not said, and two of one image narrow.
        ("dusk in Zürich, Switzerland", {"place": [0]}),
        ("dusk in Zürich, France", {}),
        # All of the words go before.
        ("fox in Zürich", {"caption": [0], "place": [0]}),
        ("photographs by ana müller", {}),
        ("Müller photographs", {}),
    ],
)
def test_names_are_found_where_nothing_has_all_words(
    store: ItemStore, query: str, found: dict[str, list[int]]
) -> None:
    named = store.named(query, None)
    assert {name: sorted(best) for name, best in named.rankings.items()} == found
    assert named.partly == (bool(found) and query != "fox in Zürich")


def test_names_are_found_among_what_is_kept_and_quoted(store: ItemStore) -> None:
    named = store.named('dusk "red fox" Snow', np.array([0, 1]))
    assert (named.rankings, named.partly) == ({"caption": [0]}, True)
    assert store.named("dusk by Ana Müller", np.array([0])).rankings == {}


def test_a_name_that_too_many_have_ranks_none(
    store: ItemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.words, "_MOST_RANKED", 1)
    assert store.named("dusk over Red Fox", None).rankings == {}
    assert store.named("dusk by Ana Müller", None).rankings == {"people": [1]}


def test_only_what_is_kept_is_found(store: ItemStore) -> None:
    named = store.named('"red fox"', np.array([1, 3, 5]))
    assert named.rankings == {"caption": [3]}
    assert store.named("fox", np.array([1])).rankings == {}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fox OR snow", [0]),
        ("fox NOT roof", None),
        ("fox -snow", [0]),
        ("caption:fox", None),
        ("{caption} : fox", None),
        ("NEAR(red fox)", None),
        ("^fox", [0, 3, 5]),
        ("fox + snow", [0]),
    ],
)
def test_nothing_that_is_typed_is_an_operator(
    store: ItemStore, query: str, found: list[int] | None
) -> None:
    rankings = store.named(query, None).rankings
    assert {name: sorted(best) for name, best in rankings.items() if name != "people"} == (
        {} if found is None else {"caption": found}
    )


@given(
    st.text()
    | st.text('fox "*^:(){}+-\0\ud800“”')
    | st.lists(st.sampled_from(['"', "fox", "AND", "OR", "NOT", "NEAR(", ")", "*", "snow*"])).map(
        " ".join
    )
)
def test_whatever_is_typed_is_an_answer(store: ItemStore, query: str) -> None:
    named = store.named(query, None)
    assert set(named.rankings) <= set(COLUMNS)
    for best in named.rankings.values():
        assert len(set(best)) == len(best) > 0


@given(st.data())
def test_an_image_is_found_by_any_of_its_own_words(store: ItemStore, data: st.DataObject) -> None:
    position = data.draw(st.sampled_from([0, 1, 3, 5]))
    words = (ITEMS[position].caption or "").split()
    query = " ".join(data.draw(st.lists(st.sampled_from(words), min_size=1)))
    assert position in store.named(query.upper(), None).rankings["caption"]


def test_what_too_many_have_in_common_ranks_none(
    store: ItemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.words, "_MOST_RANKED", 2)
    assert store.named("fox", None).rankings == {}
    assert store.named("fox", None).many is None
    many = store.named("fox", None, many=True).many
    assert many is not None
    assert many.tolist() == [0, 3, 5]
    assert store.named("fox snow", None, many=True).many is None


def test_it_is_given_up_in_time(store: ItemStore) -> None:
    with pytest.raises(SlowQueryError):
        store.named("fox", None, seconds=-1)


def test_the_same_words_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_items(tmp_path / name, ITEMS * 1)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize(
    ("definition", "taken"),
    [
        (FULL_TEXT, True),
        (FULL_TEXT.replace("words", "other"), False),
        (FULL_TEXT.replace("content=''", "content='items'"), False),
        (FULL_TEXT.replace("path,", "path, more,"), False),
    ],
)
def test_no_other_table_of_its_kind_is_read(tmp_path: Path, definition: str, taken: bool) -> None:
    with new_database(tmp_path / "some.sqlite") as connection:
        connection.execute(definition)
    files = Folder(tmp_path)
    files.open(record_files(tmp_path, ["some.sqlite"]))
    if taken:
        Database(files, "some.sqlite")
        return
    with pytest.raises(DamagedError, match="is no table of rows that were written"):
        Database(files, "some.sqlite")
