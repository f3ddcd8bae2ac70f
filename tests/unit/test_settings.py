"""The settings, and the table of the README that lists them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from serving.settings import Settings, _cores

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readme_lists_every_variable_as_it_is() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    listed = {line.split("`")[1]: line for line in lines if line.startswith("| `SIGHTLINE_")}
    fields = {f"SIGHTLINE_{name.upper()}": field for name, field in Settings.model_fields.items()}
    assert set(listed) == set(fields)
    for variable, field in fields.items():
        assert listed[variable].endswith(f"| {field.description} |")


def test_a_variable_is_read_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_MAX_QUEUE", "7")
    assert Settings().max_queue == 7
    monkeypatch.setenv("SIGHTLINE_MAX_QUEUE", "none")
    with pytest.raises(ValidationError, match="max_queue"):
        Settings()


def test_a_key_does_not_show_in_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_API_KEY", "s3cret")
    assert "s3cret" not in repr(Settings())


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 64),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
        ({}, 64),
    ],
)
def test_no_more_threads_than_a_container_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(64), raising=False)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert _cores(tmp_path) == cores
