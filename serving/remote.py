"""A bundle that lies elsewhere: fetched at the start from https://, s3:// or gs://.

>>> fetch("https://bundles.example.org/photos", Path("/var/cache/sightline"))
PosixPath('/var/cache/sightline/6d0f0b7a5c1e4c52')

What the address leads to is a bundle's folder as the build wrote it.  Credentials come from
where each storage's own client looks for them (``AWS_ACCESS_KEY_ID`` or the instance's role,
``GOOGLE_APPLICATION_CREDENTIALS`` or the service account).
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
from fsspec.core import url_to_fs

from models.installation import command, extra
from models.manifest import MANIFEST, DamagedError, Manifest, record_file, verify_files

logger = logging.getLogger("sightline")

_AT_ONCE = 4
_PIECE = 4 << 20
# It names every image that was skipped.
_LONGEST_MANIFEST = 256 << 20
# aiohttp gives a download five minutes as a whole, however well it goes on.
_PATIENCE = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=30)


def fetch(address: str, cache: Path) -> Path:
    """Fetch a bundle, unless this very one was fetched before.

    Args:
        address: of the folder that holds the bundle's ``manifest.json``.
        cache: where bundles are kept, each in a folder named after its manifest's SHA-256.

    Returns:
        The bundle's folder.  It appears under its name only when it is whole and every hash is
        right, so that a download that was cut short is never taken for a bundle.

    Raises:
        DamagedError: the bundle cannot be had, or is not whole where it lies.
    """
    address = address.rstrip("/")
    filesystem, root = _open(address)
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=cache, prefix=".partial-") as temporary:
        partial = Path(temporary) / "bundle"
        partial.mkdir()
        _download(filesystem, root, address, MANIFEST, partial, _LONGEST_MANIFEST)
        try:
            manifest = Manifest.read(partial)
            folder = cache / record_file(partial / MANIFEST).sha256[:16]
            if _is_whole(folder, manifest):
                return folder
            _download_files(filesystem, root, address, manifest, partial)
            verify_files(partial, manifest.files)
        except DamagedError as error:
            # The message names a temporary folder, which says nothing to whoever reads it.
            told = str(error).replace(str(partial), address)
            raise DamagedError(f"{told} Nothing of {address} is served.") from None
        try:
            partial.rename(folder)
        except OSError:
            # Somebody who shares the cache was quicker, with the same bundle.
            if not _is_whole(folder, manifest):
                raise
    size = sum(record.size for record in manifest.files.values())
    seconds = time.perf_counter() - started
    logger.info("fetched %s: %.1f MB in %.1f s", address, size / 1e6, seconds)
    return folder


def _is_whole(folder: Path, manifest: Manifest) -> bool:
    """Whether a bundle is in the cache; one that was damaged there is thrown away."""
    if not folder.exists():
        return False
    try:
        verify_files(folder, manifest.files)
    except DamagedError:
        shutil.rmtree(folder)
        return False
    return True


def _open(address: str) -> tuple[Any, str]:
    protocol = address.partition("://")[0]
    options: dict[str, Any] = {}
    if protocol in ("http", "https"):
        # In one go, and not a request for each block.
        options = {"client_kwargs": {"timeout": _PATIENCE}, "block_size": 0}
    try:
        if protocol in ("s3", "gs"):
            # One client for both, without those dependencies of s3fs and gcsfs that BentoML's
            # own rule out.
            from obstore.fsspec import register

            register(protocol)
        filesystem, root = url_to_fs(address, **options)
    except ImportError as error:
        raise DamagedError(
            f"{address} cannot be fetched: {error}. Install what it "
            f"takes ({extra('remote')}), or build the image with `{command('bento --remote')}`."
        ) from None
    except ValueError as error:
        raise DamagedError(
            f"{address} is no address of a bundle ({error}): https://…, s3://… or gs://… is one."
        ) from None
    return filesystem, root


def _download_files(
    filesystem: Any, root: str, address: str, manifest: Manifest, folder: Path
) -> None:
    def download(name: str) -> None:
        _download(filesystem, root, address, name, folder, manifest.files[name].size)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(download, manifest.files):
            pass


def _download(filesystem: Any, root: str, address: str, name: str, folder: Path, size: int) -> None:
    """Copy a file of at most ``size`` bytes, a piece at a time: it need not fit into memory."""
    try:
        # obstore stumbles over itself where a file that is not there is opened.
        filesystem.info(f"{root}/{name}")
        with filesystem.open(f"{root}/{name}", "rb") as source, (folder / name).open("wb") as file:
            left = size
            while left >= 0 and (piece := source.read(min(_PIECE, left + 1))):
                left -= file.write(piece)
    # Every storage's client raises errors of its own.
    except Exception as error:
        raise DamagedError(
            f"{address}/{name} cannot be fetched: {type(error).__name__}: {error}. Check the "
            "address, the credentials and the network; the bundle's folder must hold every file "
            "that its manifest.json names."
        ) from None
    if left < 0:
        raise DamagedError(
            f"{address}/{name} is longer than {size} bytes, which is what it may be."
        )
