"""The API in the words of OpenAPI 3.1, made of the types that the routes use themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from serving.wire import (
    RELEVANCE,
    EncodeRequest,
    EncodeResponse,
    ErrorResponse,
    ImageSearchRequest,
    InfoResponse,
    PictureFacts,
    ReloadResponse,
    SearchRequest,
    SearchResponse,
    TranscribeResponse,
)

TITLE = "Sightline"
_DESCRIPTION = "Finds pictures by describing them."
# Where the project was not installed as a package, which serving needs not.
_VERSION = "0.1.0"
# Fields of a form that are written as JSON.
_JSON = {"queries", "filter"}
_REF = "#/components/schemas/{model}"

_ERRORS = {
    400: "What was asked makes no sense; names the field and the rule",
    401: "A key is asked for",
    403: "Not without a key",
    404: "There is no such picture",
    408: "The request did not arrive in time",
    409: "The bundle that was found cannot be used",
    413: "The body, or the picture in it, is too large",
    415: "Sent in an encoding that is not read",
    429: "Too much at once; Retry-After says when there will be room",
    431: "Too many headers",
    500: "The service failed",
    501: "The service was deployed without what this needs",
    503: "The service is starting or stopping",
    504: "There was no answer in time",
    507: "There is no room for an upload",
}
_OF_ALL = (400, 401, 431, 500)
OF_QUESTIONS = (408, 413, 415, 429, 503, 504)


@dataclass(frozen=True, slots=True)
class Operation:
    """A route of somebody else's protocol.

    ``body`` and ``answer`` are what it takes and gives, None for nothing; ``error`` is how it
    says what went wrong, ``errors`` with which statuses beside those that any route may have.
    ``key`` is whether it asks for a key where the service has any.
    """

    method: Literal["get", "post"]
    path: str
    summary: str
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    error: type[BaseModel] = ErrorResponse
    errors: tuple[int, ...] = OF_QUESTIONS
    key: bool = True


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
            "post": _operation(
                "Find the pictures that a text describes, or that resemble one of the bundle",
                body=_json_body(SearchRequest),
                answer=_json_answer(SearchResponse),
                errors=(404, *OF_QUESTIONS, 501),
            )
        },
        "/search_by_image": {
            "post": _operation(
                "Find the pictures that resemble a picture",
                body=_form("image", ImageSearchRequest),
                answer=_json_answer(SearchResponse),
                errors=(404, *OF_QUESTIONS, 501, 507),
            )
        },
        "/encode": {
            "post": _operation(
                "Turn texts and pictures into vectors",
                body=_json_body(EncodeRequest),
                answer=_json_answer(EncodeResponse),
                errors=(*OF_QUESTIONS, 501),
            )
        },
        "/transcribe": {
            "post": _operation(
                "Turn a recording into the words that are said in it",
                body=_form("audio", None),
                answer=_json_answer(TranscribeResponse),
                errors=(*OF_QUESTIONS, 501, 507),
            )
        },
        "/images/{id}": {
            "get": _operation(
                "A picture, by the id of a result",
                parameters=[
                    _ID,
                    _SIZE,
                    _parameter("v", "query", {"type": "string"}, "the version of the thumbnails"),
                ],
                answer=_picture_answer(),
                errors=(404, 429, 503),
            )
        },
        "/images/{id}/facts": {
            "get": _operation(
                "What is known of a picture, by the id of a result",
                parameters=[_ID],
                answer=_json_answer(PictureFacts),
                errors=(404, 429, 503),
            )
        },
        "/image": {
            "get": _operation(
                "A picture, by the image_path of a result",
                parameters=[
                    _parameter("path", "query", {"type": "string", "minLength": 1}, required=True),
                    _SIZE,
                ],
                answer=_picture_answer(),
                errors=(404, 429, 503),
            )
        },
        "/info": {
            "get": _operation(
                "What answers here: model, index and versions",
                answer=_json_answer(InfoResponse),
                errors=(503,),
            )
        },
        "/reload": {
            "post": _operation(
                "Change over to the bundle that is now where this one was",
                answer=_json_answer(ReloadResponse),
                errors=(403, 409, 503),
            )
        },
        "/livez": {"get": _probe("The process is well")},
        "/healthz": {"get": _probe("The process is well")},
        "/readyz": {"get": _probe("Searches are answered", 503)},
        "/metrics": {
            "get": _operation("Counters for Prometheus", answer=_text_answer("text/plain"))
        },
        "/docs.json": {
            "get": _operation(
                "This document", answer=_content("application/json", {"type": "object"})
            )
        },
        "/schema.json": {
            "get": _operation(
                "The same for BentoML's clients",
                answer=_content("application/json", {"type": "object"}),
                errors=(),
            )
        },
        "/": {
            "get": _operation("A page that says what is where", answer=_text_answer("text/html"))
        },
    }
    there = {"/transcribe": speech, "/reload": keys, "/schema.json": schema}
    paths = {path: methods for path, methods in paths.items() if there.get(path, True)}
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((model, "validation") for model in (SearchRequest, EncodeRequest)),
        *((model, "serialization") for model in _ANSWERS),
    ]
    for other in others:
        paths.setdefault(other.path, {})[other.method] = _other_operation(other)
        models += [(other.body, "validation")] if other.body else []
        models += [(model, "serialization") for model in (other.answer, other.error) if model]
    _, schemas = models_json_schema(
        models,
        ref_template=_REF,
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
        for probe in ("/livez", "/healthz", "/readyz", *probes):
            paths[probe]["get"]["security"] = []
    return found


def project_version() -> str:
    """This project's version."""
    try:
        return version("sightline")
    except PackageNotFoundError:
        return _VERSION


_ANSWERS: tuple[type[BaseModel], ...] = (
    SearchResponse,
    PictureFacts,
    EncodeResponse,
    TranscribeResponse,
    InfoResponse,
    ReloadResponse,
    ErrorResponse,
)


def _given(*names: str) -> list[dict[str, Any]]:
    """For each of some fields the schema of what has a text there."""
    return [{"required": [name], "properties": {name: {"type": "string"}}} for name in names]


def _operation(
    summary: str,
    *,
    answer: dict[str, Any],
    body: dict[str, Any] | None = None,
    parameters: list[dict[str, Any]] | None = None,
    errors: tuple[int, ...] = (),
    error: type[BaseModel] = ErrorResponse,
    status: int = 200,
) -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": summary}
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = {"required": True, "content": body}
    responses = {str(status): answer}
    for wrong in sorted({*_OF_ALL, *errors}):
        responses[str(wrong)] = {
            "description": _ERRORS[wrong],
            "content": {"application/json": {"schema": _ref(error)}},
        }
    operation["responses"] = responses
    return operation


def _other_operation(other: Operation) -> dict[str, Any]:
    return _operation(
        other.summary,
        body=_json_body(other.body) if other.body else None,
        answer=_json_answer(other.answer) if other.answer else {"description": "Yes"},
        errors=other.errors,
        error=other.error,
        status=200 if other.answer else 204,
    )


def _probe(summary: str, *errors: int) -> dict[str, Any]:
    return _operation(summary, answer=_text_answer("text/plain"), errors=errors)


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _json_body(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": _ref(model)}}


def _form(file: str, fields: type[BaseModel] | None) -> dict[str, Any]:
    found = fields.model_json_schema(ref_template=_REF)["properties"] if fields else {}
    others = {name: _not_null(schema) for name, schema in found.items()}
    form = {
        "schema": {
            "type": "object",
            "properties": {file: {"type": "string", "format": "binary"}, **others},
            "required": [file],
            "additionalProperties": False,
        },
        # Where a list would otherwise be a field for each of its members.
        "encoding": {name: {"contentType": "application/json"} for name in _JSON & set(others)},
    }
    return {"multipart/form-data": form}


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of what a form leaves out, where JSON may have null."""
    if "anyOf" not in schema:
        return schema
    (there,) = (one for one in schema["anyOf"] if one != {"type": "null"})
    told = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return {**there, **told}


def _content(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "The answer", "content": {media_type: {"schema": schema}}}


def _json_answer(model: type[BaseModel]) -> dict[str, Any]:
    return _content("application/json", _ref(model))


def _text_answer(media_type: str) -> dict[str, Any]:
    return _content(media_type, {"type": "string"})


def _picture_answer() -> dict[str, Any]:
    return _content("image/*", {"type": "string", "format": "binary"})


def _parameter(
    name: str,
    place: str,
    schema: dict[str, Any],
    description: str | None = None,
    *,
    required: bool = False,
) -> dict[str, Any]:
    found = {"name": name, "in": place, "required": required or place == "path", "schema": schema}
    return found | ({"description": description} if description else {})


_ID = _parameter("id", "path", {"type": "string", "minLength": 1})
_SIZE = _parameter(
    "size", "query", {"type": "string", "enum": ["thumbnail"]}, "leave it out for the original"
)
