"""The manifests: valid as their platforms read them, and true to the service."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.settings import Settings
from tests.tools import require_module

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SCHEMAS = Path(__file__).parent / "schemas"
MANIFESTS = sorted(DEPLOY.glob("*.yaml"))
KNATIVE = ["knative.yaml", "cloud-run.yaml"]
SERVICE_PORT, PAGE_PORT = 3000, 8501
VARIABLES = {f"SIGHTLINE_{name.upper()}" for name in Settings.model_fields}


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")))


def validate(document: Any, schema: Any) -> None:
    require_module("jsonschema", "manifests are validated")
    from jsonschema import validators

    validators.validator_for(schema)(schema).validate(document)


def validate_kubernetes(document: Any) -> None:
    require_module("kubernetes_validate", "manifests are validated")
    import kubernetes_validate

    newest = kubernetes_validate.latest_version()
    kubernetes_validate.validate(document, newest, strict=True)


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a document."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def containers(name: str) -> list[dict[str, Any]]:
    return [
        container
        for document in documents(name)
        for node in nodes(document)
        for container in node.get("containers", [])
    ]


def test_kubernetes_knows_every_field() -> None:
    kinds = []
    for document in documents("kubernetes.yaml"):
        validate_kubernetes(document)
        kinds.append(document["kind"])
    assert set(kinds) == {
        "Deployment",
        "Service",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "NetworkPolicy",
    }


@pytest.mark.parametrize("name", KNATIVE)
def test_knative_knows_every_field(name: str) -> None:
    [document] = documents(name)
    validate(document, json.loads((SCHEMAS / "knative-service.json").read_text()))
    inner = document["spec"]["template"]["spec"]
    pod = {part: inner[part] for part in ("containers", "volumes") if part in inner}
    validate_kubernetes(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "as-run"}, "spec": pod}
    )


def test_compose_knows_every_field() -> None:
    require_module("check_jsonschema", "manifests are validated")
    from check_jsonschema.builtin_schemas import get_builtin_schema

    [document] = documents("docker-compose.yaml")
    validate(document, get_builtin_schema("vendor.compose-spec"))


def test_bentocloud_knows_every_field() -> None:
    [document] = documents("bentocloud.yaml")
    validate(document, json.loads((SCHEMAS / "bentocloud-deployment.json").read_text()))
    from bentoml._internal.cloud.schemas.schemasv2 import CreateDeploymentSchema
    from bentoml._internal.utils.cattr import bentoml_cattr

    read = bentoml_cattr.structure(document, CreateDeploymentSchema)
    assert read.services["sightline"].scaling.max_replicas > 0
    # BentoML ignores what it does not know, so it has to give everything back.
    assert bentoml_cattr.unstructure(read).keys() >= document.keys()


@pytest.mark.parametrize("name", ["kubernetes.yaml", *KNATIVE])
def test_a_field_that_does_not_exist_is_noticed(name: str) -> None:
    [document, *_] = documents(name)
    spec = document["spec"]["template"]["spec"]
    spec["containers"][0]["securityContexts"] = {}
    with pytest.raises(Exception, match="securityContexts"):
        validate_kubernetes(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "as-run"},
                "spec": {"containers": spec["containers"]},
            }
        )


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_each_says_what_to_change(path: Path) -> None:
    head = path.read_text(encoding="utf-8")
    comment = "".join(line for line in head.splitlines() if line.startswith("#"))
    assert "Change" in comment
    assert len(comment) > 300


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_every_variable_exists(path: Path) -> None:
    page = set(re.findall(r"SIGHTLINE_\w+", (ROOT / "ui" / "client.py").read_text()))
    named = set(re.findall(r"SIGHTLINE_\w+", path.read_text(encoding="utf-8")))
    assert named
    assert named <= VARIABLES | page


@pytest.mark.parametrize("name", ["kubernetes.yaml", *KNATIVE])
def test_ports_and_probes_are_the_services(name: str) -> None:
    from serving.keys import PROBES

    [container] = containers(name)
    [port] = container["ports"]
    assert port["containerPort"] == SERVICE_PORT
    probes = {kind: probe for kind, probe in container.items() if kind.endswith("Probe")}
    assert {"startupProbe", "livenessProbe"} <= probes.keys()
    for probe in probes.values():
        assert probe["httpGet"]["path"] in PROBES
        assert probe["httpGet"]["port"] in (SERVICE_PORT, port["name"])
    # An endless search of a busy service is no reason to kill it.
    assert probes["livenessProbe"]["httpGet"]["path"] == "/livez"


def test_the_services_port_is_3000_everywhere() -> None:
    assert f"EXPOSE {SERVICE_PORT}" in (DEPLOY / "Dockerfile.template").read_text()
    assert f'"{SERVICE_PORT}"' in (ROOT / "serving" / "__main__.py").read_text()
    assert f"--server.port={PAGE_PORT}" in (ROOT / "ui" / "Dockerfile").read_text()
    services = documents("docker-compose.yaml")[0]["services"]
    assert services["service"]["ports"] == [f"{SERVICE_PORT}:{SERVICE_PORT}"]
    assert services["page"]["ports"] == [f"{PAGE_PORT}:{PAGE_PORT}"]
    assert services["page"]["environment"]["SIGHTLINE_SERVICE_URL"].endswith(f":{SERVICE_PORT}")


def test_the_parts_of_kubernetes_find_each_other() -> None:
    parts = {document["kind"]: document for document in documents("kubernetes.yaml")}
    labels = parts["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert parts["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert parts["Service"]["spec"]["selector"] == labels
    assert parts["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert parts["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    target = parts["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target["name"] == parts["Deployment"]["metadata"]["name"]


@pytest.mark.parametrize("name", ["kubernetes.yaml", "knative.yaml"])
def test_containers_are_confined(name: str) -> None:
    [container] = containers(name)
    [pod] = [node for node in nodes(documents(name)) if "containers" in node]
    context = container["securityContext"] | pod.get("securityContext", {})
    assert context["runAsNonRoot"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]


def test_containers_of_compose_are_confined() -> None:
    for service in documents("docker-compose.yaml")[0]["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert any(tmpfs.startswith("/tmp") for tmpfs in service["tmpfs"])


@pytest.mark.parametrize("name", KNATIVE)
def test_an_instance_is_asked_by_two_batches_at_once(name: str) -> None:
    concurrency = documents(name)[0]["spec"]["template"]["spec"]["containerConcurrency"]
    fields = Settings.model_fields
    assert concurrency == 2 * fields["max_batch_size"].default
    assert concurrency <= fields["max_queue"].default
