"""Whatever a path says, its name in an archive is one that every system can unpack."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.entry_names import EntryNames

PARTS = st.one_of(
    st.sampled_from(["a", "A", "a.png", "..", ".", "", "con.jpg", "a ", "é", "e\u0301", "x" * 300]),
    st.text(alphabet=st.characters(), max_size=6),
)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("animals/a red fox.jpg", "animals/a red fox.jpg"),
        ("日本/富士山.png", "日本/富士山.png"),
        ("../../etc/cron.d/x.png", "etc/cron.d/x.png"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Windows\\x.png", "C_/Windows/x.png"),
        ("a/./b//c.png", "a/b/c.png"),
        ("nul.png", "_nul.png"),
        ("a/COM1/b.png", "a/_COM1/b.png"),
        ('what? "this".png', "what_ _this_.png"),
        ("a/b. /c.png", "a/b/c.png"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("\udcff.png", "_.png"),
        ("..", "image"),
    ],
)
def test_what_cannot_be_a_name_is_made_one(path: str, name: str) -> None:
    assert EntryNames().of(path) == name


def test_each_has_its_own_whatever_the_case() -> None:
    names = EntryNames()
    told = [names.of(path) for path in ("a.png", "A.png", "a?.png", "a*.png", "a (2).png")]
    assert told == ["a.png", "A (2).png", "a_.png", "a_ (2).png", "a (2) (2).png"]


def test_no_file_lies_where_a_folder_does() -> None:
    names = EntryNames()
    assert [names.of("a?/b.png"), names.of("a_"), names.of("c"), names.of("c/d.png")] == [
        "a_/b.png",
        "a_ (2)",
        "c",
        "c_d.png",
    ]


@given(st.lists(st.lists(PARTS, min_size=1, max_size=3).map("/".join), max_size=8))
def test_any_paths_become_names_that_can_be_unpacked_together(paths: list[str]) -> None:
    names = EntryNames()
    told = [names.of(path) for path in paths]
    keys = [unicodedata.normalize("NFC", name.casefold()) for name in told]
    assert len(set(keys)) == len(keys)
    for name, key in zip(told, keys, strict=True):
        parts = name.split("/")
        assert all(part.strip(" .") and part == part.rstrip(" .") for part in parts), name
        assert not set('\\<>:"|?*\0\n') & set(name)
        assert all(len(part.encode()) <= 255 for part in parts)
        folders = {key.rsplit("/", depth)[0] for depth in range(1, len(parts))}
        assert not folders & set(keys)
