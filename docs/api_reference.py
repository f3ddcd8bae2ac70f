"""A hook of MkDocs: the page ``api.md``, made from the OpenAPI document when the site is built.

So the reference cannot say what the service does not do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from serving import openapi
from serving.exchange import Exchange
from serving.settings import PROTOCOLS, Settings
from serving.state import State

NAME = "api.md"
_INTRODUCTION = """# API

Made from the OpenAPI document that a service gives at `/docs.json`, with everything switched on
that can be. A service that was set up otherwise has no [`/transcribe`](#post-transcribe), asks
for no key, or speaks none of the [protocols of others](protocols.md).

Wherever a key is asked for, it goes into the header `Authorization: Bearer KEY`. What goes wrong is
said in one shape, [ErrorResponse](#errorresponse), unless a protocol has its own.
"""
_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "object",
}
_NULL = {"type": "null"}
_FIELDS = ["Field", "Type", "Meaning"]
# A role of Sphinx's, of which only what it names is of use here.
_ROLE = re.compile(r":\w+:`~?([^`]+)`")


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> Files:
    """Put the page among the others."""
    files.append(File.generated(config, NAME, content=reference(whole_document())))
    return files


def whole_document() -> dict[str, Any]:
    """The document of a service with everything that can be switched on."""
    exchange = Exchange(State(), Settings())
    modules = [import_module(f"serving.protocols.{name.replace('-', '_')}") for name in PROTOCOLS]
    others = [one for module in modules for one in module.protocol(exchange).operations]
    return openapi.document(keys=True, speech=True, schema=True, others=others)


def reference(document: dict[str, Any]) -> str:
    """An OpenAPI document as a page of Markdown: its routes, then the types that they name."""
    blocks = [_INTRODUCTION, "## Routes"]
    wrong: dict[str, str] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            blocks += _route(method, path, operation)
            responses = operation["responses"].items()
            wrong |= {status: response["description"] for status, response in responses}
    blocks.append("## What goes wrong")
    rows = [[f"`{status}`", said] for status, said in sorted(wrong.items()) if _is_error(status)]
    blocks += _table(["Status", "What went wrong"], rows)
    blocks.append("## Types")
    for name, schema in sorted(document["components"]["schemas"].items()):
        blocks += [
            f"### {name}",
            _said(schema),
            *_table(_FIELDS, _fields(schema)),
        ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _route(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### {method.upper()} {path}"
    yield f"{operation['summary']}."
    if operation.get("security") == []:
        yield "Asks for no key."
    parameters = [_parameter(parameter) for parameter in operation.get("parameters", [])]
    yield from _table(["Parameter", "Type", "Meaning"], parameters)
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Takes `{media_type}`" + _named(content["schema"])
        yield from _table(_FIELDS, _fields(content["schema"]))
    for status, response in operation["responses"].items():
        if not _is_error(status):
            kinds = response.get("content", {}).items()
            answers = [f"`{kind}`{_named(content['schema'])}" for kind, content in kinds]
            yield f"Answers {status}: {', '.join(answers) or 'nothing more.'}"
    errors = {
        status: _type(response["content"]["application/json"]["schema"])
        for status, response in operation["responses"].items()
        if _is_error(status)
    }
    [shape] = set(errors.values())
    statuses = ", ".join(f"`{status}`" for status in errors)
    yield f"[Goes wrong](#what-goes-wrong) with {statuses}, as {shape}."


def _is_error(status: str) -> bool:
    return status >= "400"


def _named(schema: dict[str, Any]) -> str:
    return f": {_type(schema)}." if "$ref" in schema else "."


def _parameter(parameter: dict[str, Any]) -> list[str]:
    # What an address has as JSON says so in place of its schema.
    schema = parameter.get("schema") or parameter["content"]["application/json"]["schema"]
    type_ = _type(schema) + (", required" if parameter["required"] else "")
    return [f"`{parameter['name']}`", type_, parameter.get("description", "")]


def _fields(schema: dict[str, Any]) -> list[list[str]]:
    """A row for each field of an object: its name, its type, what is said of it."""
    rows = []
    for name, field in schema.get("properties", {}).items():
        type_ = _type(field)
        if name in schema.get("required", ()):
            type_ += " or null, required" if _NULL in field.get("anyOf", ()) else ", required"
        if field.get("default") is not None:
            type_ += f"; `{_json(field['default'])}` where it is left out"
        rows.append([f"`{name}`", type_, _said(field)])
    return rows


def _type(schema: dict[str, Any]) -> str:
    """What a value is, in a few words; null, which is what may be left out as well, aside."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema and "type" not in schema:
        kinds = [_type(one) for one in schema["anyOf"] if one != _NULL]
        return " or ".join(dict.fromkeys(kinds))
    if "const" in schema:
        return f"`{_json(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{_json(value)}`" for value in schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        return f"list of{_bounds(schema, 'Items')} {_type(schema.get('items', {}))}"
    if kind == "string" and schema.get("format") == "binary":
        return "file"
    if kind == "object" and "properties" in schema:
        return "object with " + ", ".join(f"`{name}`" for name in schema["properties"])
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object, each value {_type(schema['additionalProperties'])}"
    words = _WORDS.get(str(kind), "anything")
    if kind == "string":
        characters = _bounds(schema, "Length")
        return f"{words} of{characters} characters" if characters else words
    return words + _range(schema)


def _bounds(schema: dict[str, Any], what: str) -> str:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if least is None and most is None:
        return ""
    if most is None:
        return f" {least} or more"
    return f" {least or 0} to {most}"


def _range(schema: dict[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    below = schema.get("exclusiveMaximum")
    said = [f"from {least:g}"] if least is not None else []
    said += [f"to {most:g}"] if most is not None else []
    said += [f"below {below}"] if below is not None else []
    return " " + " ".join(said) if said else ""


def _json(value: object) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _said(schema: dict[str, Any]) -> str:
    return _ROLE.sub(r"`\1`", schema.get("description", ""))


def _table(heads: list[str], rows: list[list[str]]) -> Iterator[str]:
    """A table, if there is anything in it."""
    if rows:
        lines = [heads, ["---"] * len(heads), *rows]
        yield "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
