"""The image: what is in it, what it may do, and how it starts, serves and stops."""

from __future__ import annotations

import json
import os
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.container.confinement import complaints
from tests.container.conftest import CONFINED, Boot, Container
from tests.container.engine import ROOT, Engine
from tests.load import Load
from tests.tools import require_module

pytestmark = pytest.mark.slow

MB = 10**6
# More of each by hand: SIGHTLINE_STOPS=20 SIGHTLINE_SEARCHES=20000 pytest tests/container
STOPS = int(os.environ.get("SIGHTLINE_STOPS", "3"))
SEARCHES = int(os.environ.get("SIGHTLINE_SEARCHES", "5000"))


@pytest.fixture(scope="module")
def facts(engine: Engine, image: str) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(engine("image", "inspect", image))[0]
    return described


def test_a_search_is_answered(confined: Container) -> None:
    answer = httpx.post(f"{confined.url}/search", json={"query": "a guitar"}, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert "guitar" in answer.text.lower()
    thumbnail = httpx.get(confined.url + answer.json()["results"][0]["image_url"], trust_env=False)
    assert thumbnail.headers["Content-Type"] == "image/webp"


def test_without_the_image_encoder_an_image_is_refused_clearly(confined: Container) -> None:
    answer = httpx.post(
        f"{confined.url}/search_by_image",
        files={"image": (ROOT / "docs" / "page.png").read_bytes()},
        trust_env=False,
    )
    assert answer.status_code == 501
    assert "image encoder" in answer.json()["error"]["message"]


def test_it_is_confined(confined: Container) -> None:
    assert complaints(confined) == []


@pytest.mark.parametrize(
    ("loosened", "complaint"),
    [
        (tuple(option for option in CONFINED if option != "--read-only"), "is writable"),
        ((*CONFINED, "--user=0"), "is root"),
        ((*CONFINED, "--cap-add=net_raw"), "capabilities are left"),
        (tuple(o for o in CONFINED if "no-new" not in o), "may gain privileges"),
    ],
    ids=["writable root", "root user", "a capability", "new privileges"],
)
def test_what_is_loosened_is_noticed(boot: Boot, loosened: tuple[str, ...], complaint: str) -> None:
    with boot(*loosened, ready=False) as container:
        assert any(complaint in wrong for wrong in complaints(container))


def test_it_needs_no_network(boot: Boot) -> None:
    search = """
import json, time, urllib.request as http
request = http.Request("http://127.0.0.1:3000/search", b'{"query": "a guitar", "k": 1}')
for _ in range(300):
    try:
        print(http.urlopen(request, timeout=10).read().decode())
        break
    except OSError:
        time.sleep(0.1)
"""
    with boot(*CONFINED, "--network=none", ready=False) as container:
        assert len(container.python(search)["results"]) == 1


def test_it_is_small(confined: Container, facts: dict[str, Any]) -> None:
    size = """
import json, os
total = sum(os.lstat(os.path.join(folder, name)).st_size
            for folder, _, names in os.walk("/app/.venv") for name in names)
print(json.dumps(total))
"""
    assert confined.python(size) <= 300 * MB
    assert facts["Size"] <= 560 * MB


def test_the_memory_is_enough(confined: Container) -> None:
    resident = """
import json
lines = dict(line.split(":\\t", 1) for line in open("/proc/1/status") if ":\\t" in line)
print(json.dumps(int(lines["VmRSS"].split()[0]) * 1024))
"""
    with Load(confined.url, clients=32, searches=SEARCHES) as load:
        load.wait()
    assert len(load.outcomes) == SEARCHES
    assert {outcome.status for outcome in load.outcomes} == {200}
    assert confined.python(resident) <= 400 * MB
    assert confined.state()["Running"]


def test_the_labels_say_what_it_is(
    engine: Engine, confined: Container, facts: dict[str, Any]
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    labels = facts["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]
    assert labels["org.opencontainers.image.revision"]
    manifest = """
import hashlib, json, pathlib
[manifest] = pathlib.Path("../models/sightline-bundle").glob("*/manifest.json")
print(json.dumps(hashlib.sha256(manifest.read_bytes()).hexdigest()))
"""
    assert labels["sightline.bundle.sha256"] == confined.python(manifest)


def test_the_health_check_tells_well_from_ill(
    engine: Engine, confined: Container, facts: dict[str, Any]
) -> None:
    # Podman tells it beside the configuration, Docker in it.
    kind, *check = (facts.get("Healthcheck") or facts["Config"]["Healthcheck"])["Test"]
    assert kind == "CMD"
    assert engine.attempt("exec", confined.name, *check).returncode == 0
    ill = engine.attempt("exec", "--env=PORT=3999", confined.name, *check)
    assert ill.returncode != 0


def test_the_packages_are_compiled_and_keep_their_licences(confined: Container) -> None:
    look = """
import importlib.metadata as metadata, json, pathlib, service
compiled = pathlib.Path(service.__cached__).exists()
names = [d.metadata["Name"] for d in metadata.distributions()
         if not any("licen" in str(f).lower() or "copying" in str(f).lower()
                    for f in d.files or [] if f.locate().exists())]
print(json.dumps({"compiled": compiled, "without": names}))
"""
    seen = confined.python(look)
    assert seen["compiled"]
    # Some wheels bring no licence text at all.
    assert len(seen["without"]) < 25, seen["without"]


@pytest.mark.parametrize("number", range(STOPS))
def test_sigterm_under_load_loses_no_answer(boot: Boot, engine: Engine, number: int) -> None:
    with boot(*CONFINED) as container, Load(container.url, clients=32) as load:
        time.sleep(1)
        told = time.monotonic()
        engine("stop", "--time=10", container.name)
        took = time.monotonic() - told
        assert container.state()["ExitCode"] == 0
    assert took < 10
    asked_before = [one for one in load.outcomes if one.sent is not None and one.sent < told]
    assert len(asked_before) > 50
    # One that comes later may find the door closed, but not over a connection that is open.
    accepted = [one for one in load.outcomes if one.kept or one in asked_before]
    assert [one for one in accepted if one.status != 200] == []


def test_the_list_of_its_packages_is_complete(
    engine: Engine, image: str, confined: Container, tmp_path: Path
) -> None:
    require_module("cyclonedx_py", "the image's packages are listed")
    command = ["make", "sbom", f"ENGINE={engine.program}", f"IMAGE={image}"]
    listed = subprocess.run(
        [*command, f"SBOM={tmp_path / 'sbom.json'}"],
        cwd=ROOT,
        env=engine.variables,
        capture_output=True,
        text=True,
    )
    assert listed.returncode == 0, listed.stdout + listed.stderr
    components = json.loads((tmp_path / "sbom.json").read_text())["components"]
    inside = confined.python(
        "import importlib.metadata as m, json;"
        "print(json.dumps([[d.name, d.version] for d in m.distributions()]))"
    )
    assert sorted([part["name"], part["version"]] for part in components) == sorted(inside)
    assert {"bentoml", "onnxruntime", "faiss-cpu"} <= {name for name, _ in inside}
