"""The load test's shapes, objectives and knee."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.shapes import SHAPES, Stage, stage_at, stages
from loadtests.verdict import Figures, Step, knee, misses, read_objectives, told

GOOD = [
    Figures("search k=5", 900, 0, p50=10, p99=40),
    Figures("thumbnail", 100, 0, p50=2, p99=9),
]
OBJECTIVES = {"failed": 0.0, "refused": 0.1, "p50": 20, "p99": 50, "images": 10}


def test_what_keeps_its_objectives_misses_none() -> None:
    assert misses(OBJECTIVES, GOOD) == []
    assert misses(OBJECTIVES, [*GOOD, Figures("429", 100, 0, p50=900, p99=900)]) == []
    assert misses({"failed": 0.5}, [Figures("search k=5", 2, 1, p50=1e9, p99=1e9)]) == []


@pytest.mark.parametrize(
    ("figures", "line"),
    [
        (Figures("search k=20", 10, 1, 10, 40), "1 of 1010 requests failed"),
        (Figures("429", 200, 0, 1, 1), "200 of 1200 requests were refused; the objective is 10%"),
        (Figures("search k=20", 10, 0, 21, 40), "search k=20: p50 21 ms; the objective is 20 ms"),
        (Figures("search k=20", 10, 0, 10, 51), "search k=20: p99 51 ms; the objective is 50 ms"),
        (Figures("image", 10, 0, 10, 11), "image: p99 11 ms; the objective is 10 ms"),
    ],
)
def test_each_objective_can_be_missed(figures: Figures, line: str) -> None:
    (missed,) = misses(OBJECTIVES, [*GOOD, figures])
    assert line in missed


def test_a_run_without_a_request_keeps_nothing() -> None:
    assert "nothing was asked" in misses(OBJECTIVES, [])[0]
    assert "nothing was asked" in misses(OBJECTIVES, [Figures("429", 0, 0, 0, 0)])[0]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_has_objectives_and_stages(shape: str) -> None:
    assert {"failed", "refused"} <= set(read_objectives(shape))
    assert all(stage.seconds > 0 for stage in stages(shape))


def test_objectives_that_are_not_there_are_named(tmp_path: Path) -> None:
    file = tmp_path / "objectives.toml"
    with pytest.raises(ValueError, match=r"objectives\.toml has no objectives for 'soak'"):
        read_objectives("soak", file)
    file.write_text("[steady]\nfailed = 0.0\n")
    with pytest.raises(ValueError, match="for 'soak'"):
        read_objectives("soak", file)
    file.write_text("[steady")
    with pytest.raises(ValueError, match="for 'steady'"):
        read_objectives("steady", file)


def test_steps_double_and_a_spike_comes_from_nothing_twice() -> None:
    assert [stage.users for stage in stages("step", users=3)] == [1, 2, 4, 8, 16, 24]
    assert [stage.users for stage in stages("spike", users=9, seconds=4)] == [9, 0, 9]
    assert stages("soak", users=9, seconds=4) == [Stage(9, 4)]
    with pytest.raises(ValueError, match="'wave' is no shape: steady, step"):
        stages("wave")


def test_stages_follow_each_other() -> None:
    some = [Stage(1, 2.0), Stage(0, 1.0), Stage(1, 2.0)]
    assert [stage_at(some, at) for at in (0, 1.9, 2, 2.9, 3, 4.9)] == [0, 0, 1, 1, 2, 2]
    assert stage_at(some, 5) is None


def test_the_knee_is_where_more_users_gain_hardly_anything() -> None:
    steps = [Step(1, 100), Step(2, 90), Step(4, 300), Step(8, 320), Step(16, 310)]
    assert knee(steps) == Step(4, 300)
    assert knee(steps[:1]) == Step(1, 100)
    assert told(steps)[-1] == "the knee is at 4 users: 300 a second"
    assert told([]) == []
