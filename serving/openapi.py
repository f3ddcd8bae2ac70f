"""The API in the words of OpenAPI 3.1, made of the types that the routes use themselves."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from serving.facets import FacetsResponse
from serving.operations import (
    OF_QUESTIONS,
    REF,
    Operation,
    content,
    form,
    image_answer,
    json_answer,
    json_body,
    not_null,
    operation,
    other_operation,
    parameter,
    probe,
    text_answer,
)
from serving.wire.fields import MAX_ARCHIVED, RELEVANCE
from serving.wire.requests import EncodeRequest, FacetsRequest, ImageSearchRequest, SearchRequest
from serving.wire.responses import (
    EncodeResponse,
    ErrorResponse,
    ImageFacts,
    InfoResponse,
    ReloadResponse,
    SearchResponse,
    TranscribeResponse,
)

TITLE = "Sightline"
_DESCRIPTION = "Finds images by describing them."
# Where the project was not installed as a package, which serving needs not.
_VERSION = "0.1.0"


def document(
    *, keys: bool, speech: bool, schema: bool, others: Sequence[Operation] = ()
) -> dict[str, Any]:
    """The whole document: what a service answers as it is set up.

    Args:
        keys: whether a key is asked for.
        speech: whether recordings are heard.
        schema: whether BentoML's clients find their schema.
        others: the routes of other protocols that are spoken.
    """
    paths: dict[str, dict[str, Any]] = {
        "/search": {
            "post": operation(
                "Find the images that a text describes, or that resemble one of the bundle",
                body=json_body(SearchRequest),
                answer=json_answer(SearchResponse),
                errors=(404, *OF_QUESTIONS, 501),
            )
        },
        "/search_by_image": {
            "post": operation(
                "Find the images that resemble an image",
                body=form("image", ImageSearchRequest),
                answer=json_answer(SearchResponse),
                errors=(404, *OF_QUESTIONS, 501, 507),
            )
        },
        "/encode": {
            "post": operation(
                "Turn texts and images into vectors",
                body=json_body(EncodeRequest),
                answer=json_answer(EncodeResponse),
                errors=(*OF_QUESTIONS, 501),
            )
        },
        "/facets": {
            "get": operation(
                "How many images have which values of the metadata: what to filter by",
                parameters=_facets_parameters(),
                answer=json_answer(FacetsResponse),
                errors=(429, 503),
            )
        },
        "/transcribe": {
            "post": operation(
                "Turn a recording into the words that are said in it",
                body=form("audio", None),
                answer=json_answer(TranscribeResponse),
                errors=(*OF_QUESTIONS, 501, 507),
            )
        },
        "/images/{id}": {
            "get": operation(
                "An image, by the id of a result",
                parameters=[
                    _ID,
                    _SIZE,
                    parameter("v", "query", {"type": "string"}, "the version of the thumbnails"),
                ],
                answer=image_answer(),
                errors=(404, 429, 503),
            )
        },
        "/images/{id}/facts": {
            "get": operation(
                "What is known of an image, by the id of a result",
                parameters=[_ID],
                answer=json_answer(ImageFacts),
                errors=(404, 429, 503),
            )
        },
        "/image": {
            "get": operation(
                "An image, by the image_path of a result",
                parameters=[
                    parameter("path", "query", {"type": "string", "minLength": 1}, required=True),
                    _SIZE,
                ],
                answer=image_answer(),
                errors=(404, 429, 503),
            )
        },
        "/images.zip": {
            "get": operation(
                "Several images in one ZIP, by the ids of results",
                parameters=[parameter("ids", "query", _IDS, "with commas", required=True)],
                answer=content("application/zip", {"type": "string", "format": "binary"}),
                errors=(404, 429, 503),
            )
        },
        "/info": {
            "get": operation(
                "What answers here: model, index and versions",
                answer=json_answer(InfoResponse),
                errors=(503,),
            )
        },
        "/reload": {
            "post": operation(
                "Change over to the bundle that is now where this one was",
                answer=json_answer(ReloadResponse),
                errors=(403, 409, 503),
            )
        },
        "/livez": {"get": probe("The process is well")},
        "/healthz": {"get": probe("The process is well")},
        "/readyz": {"get": probe("Searches are answered", 503)},
        "/metrics": {"get": operation("Counters for Prometheus", answer=text_answer("text/plain"))},
        "/docs.json": {
            "get": operation(
                "This document", answer=content("application/json", {"type": "object"})
            )
        },
        "/schema.json": {
            "get": operation(
                "The same for BentoML's clients",
                answer=content("application/json", {"type": "object"}),
                errors=(),
            )
        },
        "/": {"get": operation("A page that says what is where", answer=text_answer("text/html"))},
    }
    there = {"/transcribe": speech, "/reload": keys, "/schema.json": schema}
    paths = {path: methods for path, methods in paths.items() if there.get(path, True)}
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((model, "validation") for model in (SearchRequest, EncodeRequest)),
        *((model, "serialization") for model in _ANSWERS),
    ]
    for other in others:
        paths.setdefault(other.path, {})[other.method] = other_operation(other)
        models += [(other.body, "validation")] if other.body else []
        models += [(model, "serialization") for model in (other.answer, other.error) if model]
    _, schemas = models_json_schema(
        models,
        ref_template=REF,
    )
    # Here and not with the types, whose schema BentoML reads, too, and would misread.
    schemas["$defs"]["SearchRequest"]["anyOf"] = [
        *_given("query", "like"),
        {"required": ["queries"], "properties": {"queries": {"type": "array"}}},
        {
            "required": ["sort"],
            "properties": {"sort": {"type": "string", "not": {"const": RELEVANCE}}},
        },
    ]
    schemas["$defs"]["EncodeRequest"]["anyOf"] = [
        {"required": [name], "properties": {name: {"minItems": 1}}} for name in ("texts", "images")
    ]
    schemas["$defs"]["QueryPart"]["oneOf"] = _given("text", "like", "image")
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": project_version(), "description": _DESCRIPTION},
        "paths": paths,
        "components": {"schemas": schemas["$defs"]},
    }
    if keys:
        found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"key": []}]
        probes = [other.path for other in others if not other.key]
        for path in ("/livez", "/healthz", "/readyz", *probes):
            paths[path]["get"]["security"] = []
    return found


def project_version() -> str:
    """This project's version."""
    try:
        return version("sightline")
    except PackageNotFoundError:
        return _VERSION


_ANSWERS: tuple[type[BaseModel], ...] = (
    SearchResponse,
    ImageFacts,
    EncodeResponse,
    FacetsResponse,
    TranscribeResponse,
    InfoResponse,
    ReloadResponse,
    ErrorResponse,
)


def _given(*names: str) -> list[dict[str, Any]]:
    """For each of some fields the schema of what has a text there."""
    return [{"required": [name], "properties": {name: {"type": "string"}}} for name in names]


def _facets_parameters() -> list[dict[str, Any]]:
    """What may stand behind the question mark: a field once or more often, a filter as JSON."""
    properties = FacetsRequest.model_json_schema(ref_template=REF)["properties"]
    fields, conditions = (not_null(properties[name]) for name in ("fields", "filter"))
    in_json = parameter("filter", "query", {}, conditions.pop("description"))
    del in_json["schema"]
    return [
        parameter("fields", "query", fields, fields.pop("description")),
        in_json | {"content": {"application/json": {"schema": conditions}}},
    ]


_ID = parameter("id", "path", {"type": "string", "minLength": 1})
_IDS = {
    "type": "string",
    "pattern": f"^[0-9a-f]{{16}}(,[0-9a-f]{{16}}){{0,{MAX_ARCHIVED - 1}}}$",
}
_SIZE = parameter(
    "size", "query", {"type": "string", "enum": ["thumbnail"]}, "leave it out for the original"
)
