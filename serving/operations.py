"""One route in the words of OpenAPI 3.1: what it takes, what it answers, what can go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from serving.wire.responses import ErrorResponse

# Fields of a form that are written as JSON.
_JSON = {"queries", "filter", "facets"}
REF = "#/components/schemas/{model}"
_ERRORS = {
    400: "What was asked makes no sense; names the field and the rule",
    401: "A key is asked for",
    403: "Not without a key",
    404: "There is no such image",
    408: "The request did not arrive in time",
    409: "The bundle that was found cannot be used",
    413: "The body, or the image in it, is too large",
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


def operation(
    summary: str,
    *,
    answer: dict[str, Any],
    body: dict[str, Any] | None = None,
    parameters: list[dict[str, Any]] | None = None,
    errors: tuple[int, ...] = (),
    error: type[BaseModel] = ErrorResponse,
    status: int = 200,
) -> dict[str, Any]:
    """A route as the document has it, with every error that it may answer."""
    told: dict[str, Any] = {"summary": summary}
    if parameters:
        told["parameters"] = parameters
    if body:
        told["requestBody"] = {"required": True, "content": body}
    responses = {str(status): answer}
    for wrong in sorted({*_OF_ALL, *errors}):
        responses[str(wrong)] = {
            "description": _ERRORS[wrong],
            "content": {"application/json": {"schema": _ref(error)}},
        }
    told["responses"] = responses
    return told


def other_operation(other: Operation) -> dict[str, Any]:
    """A route of somebody else's protocol as the document has it."""
    return operation(
        other.summary,
        body=json_body(other.body) if other.body else None,
        answer=json_answer(other.answer) if other.answer else {"description": "Yes"},
        errors=other.errors,
        error=other.error,
        status=200 if other.answer else 204,
    )


def probe(summary: str, *errors: int) -> dict[str, Any]:
    """A route that says in a word how the service is."""
    return operation(summary, answer=text_answer("text/plain"), errors=errors)


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF.format(model=model.__name__)}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """A request in JSON."""
    return {"application/json": {"schema": _ref(model)}}


def form(file: str, fields: type[BaseModel] | None) -> dict[str, Any]:
    """A request as a form: a file and, as its other fields, those of a model."""
    found = fields.model_json_schema(ref_template=REF)["properties"] if fields else {}
    others = {name: not_null(schema) for name, schema in found.items()}
    described = {
        "schema": {
            "type": "object",
            "properties": {file: {"type": "string", "format": "binary"}, **others},
            "required": [file],
            "additionalProperties": False,
        },
        # Where a list would otherwise be a field for each of its members.
        "encoding": {name: {"contentType": "application/json"} for name in _JSON & set(others)},
    }
    return {"multipart/form-data": described}


def not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of what a form leaves out, where JSON may have null."""
    if "anyOf" not in schema:
        return schema
    (there,) = (one for one in schema["anyOf"] if one != {"type": "null"})
    told = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return {**there, **told}


def content(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    """An answer of some kind."""
    return {"description": "The answer", "content": {media_type: {"schema": schema}}}


def json_answer(model: type[BaseModel]) -> dict[str, Any]:
    """An answer in JSON."""
    return content("application/json", _ref(model))


def text_answer(media_type: str) -> dict[str, Any]:
    """An answer in text."""
    return content(media_type, {"type": "string"})


def image_answer() -> dict[str, Any]:
    """An answer that is an image."""
    return content("image/*", {"type": "string", "format": "binary"})


def parameter(
    name: str,
    place: str,
    schema: dict[str, Any],
    description: str | None = None,
    *,
    required: bool = False,
) -> dict[str, Any]:
    """A part of the address that the caller fills in; one of its path always has to be there."""
    found = {"name": name, "in": place, "required": required or place == "path", "schema": schema}
    return found | ({"description": description} if description else {})
