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


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("MAX_QUEUE", "none", "valid integer"),
        ("MAX_QUEUE", "0", "greater than or equal to 1"),
        ("WORKERS", "0", "greater than or equal to 1"),
        ("MAX_UPLOAD_MB", "nan", "less than or equal to 1024"),
        ("TIMEOUT", "-1", "greater than 0"),
        ("API_KEY", "", "holds no key"),
        ("API_KEYS", "", "holds no key"),
        ("API_KEYS", " , ", "holds no key"),
        ("API_KEYS", "schlüssel", "no header can carry"),
        ("API_KEYS_FILE", "/nowhere/keys", "cannot be read"),
        ("CORS_ORIGINS", "example.org", "is no origin"),
        ("PROTOCOLS", "openai, milvus", "'milvus' is none of openai, weaviate, clip-retrieval"),
        ("LOG_QUERIES", "1", "needs SIGHTLINE_LOG_REQUESTS"),
    ],
)
def test_a_bad_value_ends_in_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, rule: str
) -> None:
    monkeypatch.setenv(f"SIGHTLINE_{variable}", value)
    with pytest.raises(SystemExit) as ended:
        Settings.load()
    message = str(ended.value)
    assert f"SIGHTLINE_{variable}" in message
    assert rule in message
    assert "\n" not in message


def test_keys_come_from_three_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mounted = tmp_path / "keys"
    mounted.write_text("four\nfive\n")
    assert Settings().keys == []
    monkeypatch.setenv("SIGHTLINE_API_KEY", "one")
    monkeypatch.setenv("SIGHTLINE_API_KEYS", "two, three")
    monkeypatch.setenv("SIGHTLINE_API_KEYS_FILE", str(mounted))
    assert Settings.load().keys == [b"one", b"two", b"three", b"four", b"five"]
    mounted.write_text("\n")
    with pytest.raises(SystemExit, match="SIGHTLINE_API_KEYS_FILE: holds no key"):
        Settings.load()


def test_no_key_is_shown_where_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_API_KEYS", "s3cret schlüssel")
    with pytest.raises(SystemExit) as ended:
        Settings.load()
    assert "s3cret" not in str(ended.value)


@pytest.mark.parametrize(
    ("memory", "megapixels"), [(512 << 20, 12.6), (2614312 << 10, 62.9), (1 << 50, 100)]
)
def test_the_largest_image_follows_the_memory_there_is(
    monkeypatch: pytest.MonkeyPatch, memory: int, megapixels: float
) -> None:
    monkeypatch.setattr("models.machine.memory", lambda: memory)
    assert Settings().max_pixels / 1e6 == pytest.approx(megapixels, abs=0.1)


def test_workers_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.machine.cores", lambda: 8)
    assert Settings(workers=1).threads == 8
    assert Settings(workers=4).threads == 2
    assert Settings(workers=16).threads == 1
    assert Settings(workers=4, threads=3).threads == 3


def test_a_key_does_not_show_in_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_API_KEY", "s3cret")
    assert "s3cret" not in repr(Settings())


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "API_KEY",
            "",
            "SIGHTLINE_API_KEY: holds no key: leave the variable out for a service without keys",
        ),
        (
            "API_KEYS",
            "a\u00fc",
            "SIGHTLINE_API_KEYS: holds a key that no header can carry: letters, digits and "
            "-._~+/ are safe",
        ),
        (
            "API_KEYS_FILE",
            "/nowhere",
            "SIGHTLINE_API_KEYS_FILE: /nowhere cannot be read (No such file or directory)",
        ),
        (
            "CORS_ORIGINS",
            "https://a.example https://b.example/x",
            "SIGHTLINE_CORS_ORIGINS: 'https://b.example/x' is no origin: https://example.org is "
            "one",
        ),
        ("LOG_QUERIES", "1", "SIGHTLINE_LOG_QUERIES needs SIGHTLINE_LOG_REQUESTS=1"),
    ],
)
def test_the_line_says_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"SIGHTLINE_{variable}", value)
    with pytest.raises(SystemExit) as ended:
        Settings.load()
    assert str(ended.value).startswith(f"error: {said}")


def test_all_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_WORKERS", "0")
    monkeypatch.setenv("SIGHTLINE_KEEP_ALIVE", "x")
    with pytest.raises(SystemExit) as ended:
        Settings.load()
    told = str(ended.value).removeprefix("error: ").split("; ")
    assert len(told) == 2
    assert "SIGHTLINE_WORKERS: Input should be greater than or equal to 1" in told
    assert (
        "SIGHTLINE_KEEP_ALIVE: Input should be a valid integer, unable to parse string as an "
        "integer" in told
    )


def test_origins_and_sizes_are_read() -> None:
    assert Settings().origins == []
    assert Settings(cors_origins=" ").origins == []
    assert Settings(cors_origins="*").origins == ["*"]
    named = Settings(cors_origins=" https://a.example, http://b.example:8000 ")
    assert named.origins == ["https://a.example", "http://b.example:8000"]
    assert Settings(max_upload_mb=0.5).max_upload == 1 << 19
