"""What a container could do that it should not."""

from __future__ import annotations

from tests.container.conftest import Container

# Runs inside; process 1 is the service.
_LOOK = """
import glob, importlib.util, json, os, shutil
status = dict(line.split(":\\t", 1) for line in open("/proc/1/status") if ":\\t" in line)
print(json.dumps({
    "uid": int(status["Uid"].split()[0]),
    "groups": [int(status["Gid"].split()[0]), *map(int, status["Groups"].split())],
    "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "no_new_privileges": status["NoNewPrivs"].strip() == "1",
    "read_only": bool(os.statvfs("/").f_flag & os.ST_RDONLY),
    "programs": [n for n in ("gcc", "cc", "c++", "ld", "make", "git", "curl") if shutil.which(n)],
    "modules": [n for n in ("torch", "open_clip", "transformers", "pandas", "pip")
                if importlib.util.find_spec(n)],
    "caches": [p for p in ("/root/.cache", "/var/cache/apt/archives/*.deb") if glob.glob(p)],
    "writable": [p for p in ("/", "/app", "/app/.venv", "/home", "/home/bentoml/bento/src")
                 if os.access(p, os.W_OK)],
}))
"""


def complaints(container: Container) -> list[str]:
    """Everything that is looser than it should be; nothing of a well confined container."""
    seen = container.python(_LOOK)
    wrong = []
    if seen["uid"] == 0 or 0 in seen["groups"]:
        wrong.append("the user or its group is root")
    if not seen["read_only"]:
        wrong.append("the root file system is writable")
    if seen["writable"]:
        wrong.append(f"the user may write to {', '.join(seen['writable'])}")
    if seen["capabilities"]:
        wrong.append(f"capabilities are left: {seen['capabilities']:#x}")
    if not seen["no_new_privileges"]:
        wrong.append("a program may gain privileges")
    for kind in ("programs", "modules", "caches"):
        if seen[kind]:
            wrong.append(f"the image has {', '.join(seen[kind])}")
    return wrong
