"""The settings, and the table of the README that lists them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from serving.settings import Settings, _cores, _max_pixels, _memory

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
    ("limit", "megapixels"), [("536870912", 12.4), ("max", 61.9), ("68719476736", 61.9)]
)
def test_the_largest_picture_follows_the_memory_there_is(
    tmp_path: Path, limit: str, megapixels: float
) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    system = tmp_path / "meminfo"
    system.write_text("MemFree: 1 kB\nMemTotal:        2614312 kB\n")
    pixels = _max_pixels(_memory(tmp_path, system))
    assert pixels / 1e6 == pytest.approx(megapixels, abs=0.1)
    assert _max_pixels(1 << 50) == 100_000_000


def test_workers_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.settings._cores", lambda: 8)
    assert Settings(workers=1).threads == 8
    assert Settings(workers=4).threads == 2
    assert Settings(workers=16).threads == 1
    assert Settings(workers=4, threads=3).threads == 3


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


@pytest.mark.parametrize(
    ("files", "bytes_"),
    [
        ({"memory.max": "1000\n"}, 1000),
        ({"memory/memory.limit_in_bytes": "1000\n"}, 1000),
        ({"memory.max": "3000", "memory/memory.limit_in_bytes": "2000"}, 2000),
        ({"memory.max": "max"}, 4096),
        ({"memory.max": "9000"}, 4096),
        ({"memory.max": "0"}, 4096),
        ({}, 4096),
    ],
)
def test_the_least_of_all_limits_counts(tmp_path: Path, files: dict[str, str], bytes_: int) -> None:
    system = tmp_path / "meminfo"
    system.write_text("MemFree: 1 kB\nMemTotal:   4 kB\nSwapTotal: 9 kB\n")
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert _memory(tmp_path, system) == bytes_


def test_without_a_word_of_the_memory_there_are_two_gigabytes(tmp_path: Path) -> None:
    assert _memory(tmp_path, tmp_path / "nowhere") == 2 << 30
    (tmp_path / "meminfo").write_text("nothing of the kind\n")
    assert _memory(tmp_path, tmp_path / "meminfo") == 2 << 30


def test_a_megapixel_takes_16_mb_of_37_hundredths_of_the_memory() -> None:
    assert _max_pixels(16_000_000) == 370_000


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


def test_where_the_system_tells_of_no_processors_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert _cores(tmp_path) == 3
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert _cores(tmp_path) == 1
