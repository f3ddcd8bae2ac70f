"""The settings, and the table of the README that lists them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from serving.settings import Settings

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
