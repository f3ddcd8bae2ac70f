"""What is read beside the images, and how little of it can stop a build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build.caption import Caption
from build.captions import read_captions
from tests.sidecars import put


def test_nothing_said_gives_nothing(tmp_path: Path) -> None:
    assert read_captions(tmp_path, ["a.jpg"]) == ({}, [])


def test_text_sidecar_gives_its_first_line_that_is_not_empty(tmp_path: Path) -> None:
    put(tmp_path, a__txt="\r\n  \r\n A red\tfox. \r\nde.utf8=Ein Fuchs\r\n")
    assert read_captions(tmp_path, ["a.jpg"]) == ({"a.jpg": Caption("A red fox.")}, [])


def test_sidecar_of_two_images_of_one_name_applies_to_both(tmp_path: Path) -> None:
    put(tmp_path, photo__txt="A fox")
    captions, _ = read_captions(tmp_path, ["photo.jpg", "photo.png"])
    assert [captions[name].text for name in ("photo.jpg", "photo.png")] == ["A fox"] * 2


def test_sidecars_lie_in_the_image_s_own_folder(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "IMG.TXT").write_text("A fox")
    captions, _ = read_captions(tmp_path, ["IMG.JPG", "deep/er/IMG.JPG"])
    assert captions == {"deep/er/IMG.JPG": Caption("A fox")}


def test_json_sidecar_keeps_nested_metadata(tmp_path: Path) -> None:
    put(tmp_path, a__json=json.dumps({"caption": "A fox", "year": 1999, "camera": {"lens": [50]}}))
    captions, warnings = read_captions(tmp_path, ["a.jpg"])
    assert captions == {"a.jpg": Caption("A fox", {"year": 1999, "camera": {"lens": [50]}})}
    assert warnings == []


def test_json_sidecar_without_caption_leaves_the_text_sidecar_s(tmp_path: Path) -> None:
    put(tmp_path, a__json='{"year": 1999}', a__txt="A fox")
    assert read_captions(tmp_path, ["a.jpg"])[0] == {"a.jpg": Caption("A fox", {"year": 1999})}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[1, 2]", "no JSON object"),
        ('{"caption":\n "A fox",\n}', "line 3: no JSON"),
        ('{"caption": 7}', "caption is no text"),
        ("[" * 100_000, "no usable JSON"),
        ('{"n": ' + "9" * 5000 + "}", "no usable JSON"),
        (b"\x00\x01\x02", "no JSON"),
        ('{"caption": "' + "x" * (1 << 20) + '"}', "larger than 1 MB"),
    ],
)
def test_a_bad_sidecar_is_a_warning_that_names_it(
    tmp_path: Path, content: str | bytes, complaint: str
) -> None:
    put(tmp_path, bad__json=content, good__txt="A fox")
    captions, warnings = read_captions(tmp_path, ["bad.jpg", "good.jpg"])
    assert captions["good.jpg"].text == "A fox"
    assert len(warnings) == 1
    assert warnings[0].startswith("bad.json: ")
    assert complaint in warnings[0]


def test_what_utf8_and_json_cannot_hold_is_replaced(tmp_path: Path) -> None:
    put(tmp_path, a__json='{"caption": "fox \\ud800\\u0000!", "k\\udfff": NaN, "n": ["\\ud800"]}')
    captions, _ = read_captions(tmp_path, ["a.jpg"])
    assert captions["a.jpg"] == Caption("fox ? !", {"k?": None, "n": ["?"]})


@pytest.mark.parametrize(
    ("content", "warned"),
    [
        ("Café".encode("utf-8-sig"), False),
        ("Café".encode("utf-16"), False),
        ("Café".encode("cp1252"), True),
    ],
)
def test_encodings(tmp_path: Path, content: bytes, warned: bool) -> None:
    put(tmp_path, a__txt=content)
    captions, warnings = read_captions(tmp_path, ["a.jpg"])
    assert captions["a.jpg"].text == "Café"
    assert bool(warnings) == warned


@pytest.mark.parametrize(
    "label",
    [
        "0 0.716797 0.395833 0.216406 0.147222",
        "\n15 0.5 0.5 1 1 0.98\n3 0.1 0.1 0.2 0.2\n",
        "Car 0.00 0 -1.58 587.01 173.33 614.12 200.12 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59",
        "person 1e-3 2 3 4",
    ],
)
def test_labels_for_detection_are_no_captions(tmp_path: Path, label: str) -> None:
    put(tmp_path, a__txt=label, b__json='{"shapes": [], "imagePath": "b.jpg", "imageData": "x"}')
    captions, warnings = read_captions(tmp_path, ["a.jpg", "b.jpg"])
    assert captions == {}
    assert warnings == [
        "a.txt: holds numbers, as labels for detection do: no caption",
        "b.json: holds labels for detection: no metadata",
    ]


@pytest.mark.parametrize(
    "text", ["1984", "7 9 2019", "Room 4 5 6", "1 2 3 4 elephants", "A fox 1 2 3 4"]
)
def test_a_text_with_numbers_is_one(tmp_path: Path, text: str) -> None:
    put(tmp_path, a__txt=text)
    assert read_captions(tmp_path, ["a.jpg"]) == ({"a.jpg": Caption(text)}, [])


def test_a_letter_and_its_accent_are_one(tmp_path: Path) -> None:
    put(
        tmp_path,
        captions__csv="path,caption,gro\u0308sse\na.jpg,Zu\u0308rich,Zu\u0308rich\n",
        a__json='{"deep": {"e\u0301": ["e\u0301"]}}',
    )
    captions, _ = read_captions(tmp_path, ["a.jpg"])
    metadata = {"grösse": "Zürich", "deep": {"é": ["é"]}}
    assert captions["a.jpg"] == Caption("Zürich", metadata)


def test_table_rows_that_fit_nothing_are_warnings(tmp_path: Path) -> None:
    put(
        tmp_path,
        captions__csv="path,caption\na.jpg,One\na.jpg,Two\n,None\n"
        + "".join(f"gone{i}.jpg,Gone\n" for i in range(9)),
    )
    captions, warnings = read_captions(tmp_path, ["a.jpg"])
    assert captions == {"a.jpg": Caption("One")}
    assert warnings == [
        "captions.csv: line 3: a.jpg again, after line 2",
        "captions.csv: line 4: no path",
        "captions.csv: 9 rows name no image of the tree: "
        "line 5: gone0.jpg; line 6: gone1.jpg; line 7: gone2.jpg; ...",
    ]


def test_rows_of_images_left_out_of_a_sample_are_no_warnings(tmp_path: Path) -> None:
    put(tmp_path, captions__csv="path,caption\na.jpg,One\nb.jpg,Two\n", b__jpg="")
    assert read_captions(tmp_path, ["a.jpg"]) == ({"a.jpg": Caption("One")}, [])


def test_jsonl_in_the_layout_of_imagefolder(tmp_path: Path) -> None:
    put(
        tmp_path,
        metadata__jsonl='{"file_name": "a.jpg", "text": "A\u2028fox", "n": 1}\r\n\r\n'
        '{"file_name": "b.jpg", "caption": ["First", "Second"]}\n'
        "{broken\n[]\n",
    )
    captions, warnings = read_captions(tmp_path, ["a.jpg", "b.jpg"])
    assert captions == {"a.jpg": Caption("A fox", {"n": 1}), "b.jpg": Caption("First")}
    assert [w.split(": ")[1] for w in warnings] == ["line 4", "line 5"]


def test_own_sidecar_wins_over_jsonl_over_csv_key_by_key(tmp_path: Path) -> None:
    put(
        tmp_path,
        captions__csv="path,caption,a,b,c\np.jpg,csv,1,1,1\n",
        metadata__jsonl='{"path": "p.jpg", "caption": "jsonl", "b": 2, "c": 2}\n',
        p__json='{"caption": "json", "c": 3}',
        p__txt="txt",
    )
    captions, _ = read_captions(tmp_path, ["p.jpg"])
    assert captions == {"p.jpg": Caption("json", {"a": 1, "b": 2, "c": 3})}


def test_names_match_across_unicode_forms_and_absolute_paths(tmp_path: Path) -> None:
    decomposed = "cafe\u0301.jpg"
    absolute = (tmp_path.resolve() / "b.jpg").as_posix()
    put(tmp_path, captions__csv=f"path,caption\ncafé.jpg,One\n{absolute},Two\n")
    captions, warnings = read_captions(tmp_path, [decomposed, "b.jpg"])
    assert {name: caption.text for name, caption in captions.items()} == {
        decomposed: "One",
        "b.jpg": "Two",
    }
    assert warnings == []


@given(
    name=st.sampled_from(["captions.csv", "metadata.jsonl", "a.txt", "a.json"]),
    content=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: b"path,caption\na.jpg," + text.encode())
    | st.text(max_size=200).map(lambda text: text.encode("utf-16", "surrogatepass")),
)
def test_no_content_raises_and_every_answer_is_storable(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    root = tmp_path_factory.mktemp("tree")
    (root / name).write_bytes(content)
    captions, warnings = read_captions(root, ["a.jpg"])
    for caption in captions.values():
        assert caption.text is None or caption.text.strip() == caption.text != ""
        json.dumps([caption.text, caption.metadata], allow_nan=False, ensure_ascii=False).encode()
    assert all(warning.startswith(name) for warning in warnings)
