"""A container engine, and a base image where none can be pulled.

Docker is used where it runs, or podman where it has the base image.  Elsewhere podman and
buildah work in a store of their own, over a stand-in for ``python:3.11-slim``: Debian 12 with
its own Python 3.11, put together by debootstrap.
"""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.tools import require_tool

ROOT = Path(__file__).resolve().parents[2]
BASE = "docker.io/library/python:3.11-slim"
_CACHED_BASE = ROOT / ".cache" / "container" / "base.tar"
_CERTIFICATES = ssl.get_default_verify_paths().openssl_cafile

_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{work}/store"
runroot = "{work}/run"
"""


@dataclass(frozen=True)
class Engine:
    """Runs containers; docker and podman are alike in all that is asked of them."""

    program: Path
    backend: str
    build_options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """This process's environment with the engine's own settings."""
        return os.environ | self.environment

    def __call__(self, *arguments: str, check: bool = True) -> str:
        """What the engine answers to a command."""
        done = self.attempt(*arguments)
        if check and done.returncode:
            pytest.fail(f"{self.program.name} {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def attempt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same, where it may fail."""
        return subprocess.run(
            [str(self.program), *arguments],
            # Out of the repository: a runtime may leave a file where it was started.
            cwd="/",
            env=self.variables,
            capture_output=True,
            text=True,
        )


def find_engine(work: Path) -> Engine:
    """The engine of this machine, with the base image at hand."""
    if (docker := shutil.which("docker")) and _succeeds(docker, "info"):
        return Engine(Path(docker), "docker")
    podman = require_tool("podman", reason="the image is built and booted")
    if _succeeds(str(podman), "image", "exists", BASE):
        return Engine(podman, "podman")
    return _with_stand_in(podman, work)


def _with_stand_in(podman: Path, work: Path) -> Engine:
    for tool in ("buildah", "runc", "debootstrap"):
        require_tool(tool, reason="the image is built and booted")
    (work / "containers.conf").write_text(_CONTAINERS_CONF)
    (work / "storage.conf").write_text(_STORAGE_CONF.format(work=work))
    engine = Engine(
        podman,
        "buildah",
        # The builder sees this machine's certificates, as the stand-in's variables say.
        ("--pull-never", f"--volume={_CERTIFICATES}:{_CERTIFICATES}:ro"),
        {
            "CONTAINERS_CONF": str(work / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(work / "storage.conf"),
            "BUILDAH_ISOLATION": "chroot",
        },
    )
    if not _CACHED_BASE.exists():
        _make_stand_in(work / "rootfs")
    variables = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "SSL_CERT_FILE": _CERTIFICATES,
        "PIP_CERT": _CERTIFICATES,
    }
    changes = [part for name in variables for part in ("-c", f"ENV {name}={variables[name]}")]
    engine("import", *changes, str(_CACHED_BASE), BASE)
    return engine


def _make_stand_in(rootfs: Path) -> None:
    packages = "ca-certificates,python3,python3-venv,python3-pip,python-is-python3"
    bootstrap = ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm"]
    _run(*bootstrap, str(rootfs), _debian_mirror())
    (rootfs / "usr/lib/python3.11/EXTERNALLY-MANAGED").unlink()
    _CACHED_BASE.parent.mkdir(parents=True, exist_ok=True)
    partial = _CACHED_BASE.with_suffix(".partial")
    without = ("proc/*", "sys/*", "dev/*", "var/cache/apt/*", "var/lib/apt/lists/*")
    excluded = [f"--exclude=./{pattern}" for pattern in without]
    _run("tar", "-C", str(rootfs), *excluded, "-cf", str(partial), ".")
    partial.rename(_CACHED_BASE)
    shutil.rmtree(rootfs, ignore_errors=True)


def _debian_mirror() -> str:
    """The mirror that apt itself uses."""
    told = _run("apt-get", "indextargets", "--format", "$(LABEL) $(SITE)")
    sites = [line.split()[1] for line in told.splitlines() if line.startswith("Debian ")]
    if not sites:
        pytest.fail("apt knows no Debian mirror: no base image can be put together")
    return sites[0]


def remove_store(engine: Engine, work: Path) -> None:
    """Give back what the images and containers took."""
    if engine.backend != "buildah":
        return
    for command in (("rm", "--all", "--force"), ("rmi", "--all", "--force")):
        engine(*command, check=False)
    subprocess.run(["umount", str(work / "store" / "overlay")], capture_output=True)
    shutil.rmtree(work, ignore_errors=True)


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, timeout=60).returncode == 0


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"{' '.join(command)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout
