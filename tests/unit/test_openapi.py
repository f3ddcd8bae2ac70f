"""What the document promises, word for word: whoever changes the API changes it here, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serving import openapi
from serving.exchange import Exchange
from serving.operations import Operation
from serving.protocols import clip_retrieval, openai, weaviate
from serving.settings import Settings
from serving.state import State

# Written anew: json.dumps(..., indent=1, ensure_ascii=False) of what ``promised`` gives.
PROMISED = Path(__file__).parent / "openapi.json"
REF = "#/components/schemas/"


def others() -> list[Operation]:
    """The routes of every protocol."""
    exchange = Exchange(State(), Settings())
    modules = (openai, weaviate, clip_retrieval)
    return [one for module in modules for one in module.protocol(exchange).operations]


def promised() -> dict[str, object]:
    """What this project has written of the document; pydantic writes most of the schemas."""
    document = openapi.document(keys=True, speech=True, schema=True, others=others())
    components = document.pop("components")
    document["securitySchemes"] = components["securitySchemes"]
    for name in ("SearchRequest", "EncodeRequest"):
        document[f"anyOf of {name}"] = components["schemas"][name]["anyOf"]
    document["schemas"] = sorted(components["schemas"])
    found: dict[str, object] = json.loads(json.dumps(document))
    return found


def test_the_whole_document_is_what_was_promised() -> None:
    assert promised() == json.loads(PROMISED.read_text("utf-8"))


@pytest.mark.parametrize("keys", [False, True])
@pytest.mark.parametrize("speech", [False, True])
@pytest.mark.parametrize("schema", [False, True])
def test_what_a_service_does_not_offer_is_not_in_its_document(
    keys: bool, speech: bool, schema: bool
) -> None:
    document = openapi.document(keys=keys, speech=speech, schema=schema)
    assert ("/transcribe" in document["paths"]) == speech
    assert ("/reload" in document["paths"]) == keys
    assert ("/schema.json" in document["paths"]) == schema
    assert len(document["paths"]) == 15 + keys + speech + schema
    assert ("security" in document) == ("securitySchemes" in document["components"]) == keys
    assert not {one.path for one in others()} & set(document["paths"])
    probed = document["paths"]["/livez"]["get"]
    assert probed.get("security") == ([] if keys else None)


def test_every_schema_that_is_named_is_there() -> None:
    document = openapi.document(keys=True, speech=True, schema=True, others=others())
    named = set()

    def look(node: object) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                named.add(node["$ref"])
            for child in node.values():
                look(child)
        elif isinstance(node, list):
            for child in node:
                look(child)

    look(document)
    assert named
    assert named <= {REF + name for name in document["components"]["schemas"]}
