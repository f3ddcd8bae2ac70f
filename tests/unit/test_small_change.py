"""A bundle of a folder in which little has changed is what a new build makes of the folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

import build.small_change
from build.bundle_from_images import build_index
from build.index_options import IndexOptions
from models.manifest import Manifest
from tests.build.images import image_bytes
from tests.numbered import answers, codes_for_few, facts_of, path_of
from tests.tiny_package import write_tiny_package

START = 120
# So many of them may change before all is put together anew.
FEW = 12


@pytest.fixture(scope="module", autouse=True)
def coded() -> Iterator[None]:
    """Codes for few images, too."""
    with codes_for_few():
        yield


def draw(root: Path, number: int, shown: int) -> None:
    """An image by the path of a number that shows another one, and what is said of it."""
    path = root / path_of(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image_bytes(shown))
    path.with_suffix(".json").write_text(json.dumps(facts_of(shown)))


def planted(folder: Path, package: Path) -> IndexOptions:
    """A folder of images, and its bundle."""
    for number in range(START):
        draw(folder / "images", number, number)
    options = IndexOptions(output=folder / "bundle", model=package, images=folder / "images")
    assert build_index(options).changed
    return options


def told(options: IndexOptions) -> dict[str, Any]:
    """What a bundle answers, and what its manifest says that does not go by positions."""
    manifest = Manifest.read(options.output)
    assert manifest.subject is not None
    said = {
        "skipped": manifest.skipped,
        "made of": manifest.made_of,
        "floor": manifest.floor and round(manifest.floor, 5),
        "subject": (round(manifest.subject.usual, 5), round(manifest.subject.most, 5)),
    }
    return answers(options.output) | said


def is_shared(options: IndexOptions) -> bool:
    """Whether the bundle is one that was changed."""
    return (options.output / "rows.npy").exists()


# What happens to an image: it is another one, other things are said of it, both, it goes, breaks.
HAPPENS = st.sampled_from(["shown", "said", "both", "gone", "broken", "touched"])


def happen(root: Path, number: int, what: str) -> None:
    path = root / path_of(number)
    other = number + 1000
    if what in ("shown", "both") or (what == "touched" and not path.exists()):
        draw(root, number, other)
    if what == "shown":
        path.with_suffix(".json").write_text(json.dumps(facts_of(number)))
    if what == "said" and path.exists():
        path.with_suffix(".json").write_text(json.dumps(facts_of(other)))
    if what == "gone":
        path.unlink(missing_ok=True)
    if what == "broken":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    if what == "touched":
        path.touch()
        (root / "notes.json").write_text("[]")


# Everything once, and once more of what has changed.
EVERYTHING = [
    {1: "shown", 2: "said", 3: "both", 4: "gone", 5: "broken", 6: "touched", START: "both"},
    {1: "said", 3: "gone", 4: "shown", 5: "shown", START: "gone", START + 1: "broken"},
]


@settings(
    max_examples=2,
    # To make a failing example smaller takes minutes.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.dictionaries(st.integers(0, START + 20), HAPPENS, min_size=1, max_size=FEW - 3),
        min_size=1,
        max_size=3,
    )
)
@example(EVERYTHING)
def test_it_is_what_a_new_build_makes(
    tmp_path_factory: pytest.TempPathFactory, tiny_package: Path, steps: list[dict[int, str]]
) -> None:
    options = planted(tmp_path_factory.mktemp("little"), tiny_package)
    for step in steps:
        for number, what in step.items():
            happen(options.images or Path(), number, what)
        build_index(options)
    anew = replace(options, output=options.output.with_name("anew"))
    build_index(anew)
    assert not is_shared(anew)
    assert told(options) == told(anew)
    assert not build_index(options).changed


def test_what_stays_is_shared_with_the_earlier_bundle(tmp_path: Path, tiny_package: Path) -> None:
    options = planted(tmp_path, tiny_package)
    before = (options.output / "embeddings.npy").stat().st_ino
    draw(tmp_path / "images", 7, 1007)
    (tmp_path / "images" / path_of(8)).unlink()
    outcome = build_index(options)
    assert (outcome.changed, outcome.embedded, outcome.reused) == (True, START - 1, START - 2)
    assert is_shared(options)
    assert (options.output / "embeddings.npy").stat().st_ino == before
    # And once more, from one that was changed.
    draw(tmp_path / "images", 8, 8)
    build_index(options)
    assert (options.output / "embeddings.npy").stat().st_ino == before


@pytest.mark.parametrize("how", ["much", "otherwise", "unknown", "damaged", "another model"])
def test_else_all_is_put_together_anew(tmp_path: Path, tiny_package: Path, how: str) -> None:
    options = planted(tmp_path, tiny_package)
    for number in range(FEW + 1 if how == "much" else 1):
        draw(tmp_path / "images", number, number + 1000)
    if how == "otherwise":
        options = replace(options, metric="l2")
    if how == "unknown":
        # Such as `change` leaves.
        manifest = Manifest.read(options.output)
        manifest.model_copy(update={"made_of": ""}).write(options.output)
    if how == "damaged":
        (options.output / "items.sqlite").write_bytes(b"")
    if how == "another model":
        write_tiny_package(tmp_path / "other", seed=1)
        options = replace(options, model=tmp_path / "other")
    assert build_index(options).changed
    assert not is_shared(options)
    anew = replace(options, output=tmp_path / "anew")
    build_index(anew)
    assert told(options) == told(anew)


def test_a_build_that_ends_before_the_bundle_is_there_leaves_it_to_the_next(
    tmp_path: Path, tiny_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = planted(tmp_path, tiny_package)
    before = told(options)
    draw(tmp_path / "images", 7, 1007)

    class KilledError(Exception):
        pass

    def die(_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(build.small_change.Output, "publish", die)
        with pytest.raises(KilledError):
            build_index(options)
    assert told(options) == before
    build_index(options)
    anew = replace(options, output=tmp_path / "anew")
    build_index(anew)
    assert told(options) == told(anew)
