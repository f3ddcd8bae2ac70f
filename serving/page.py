"""The page at ``/``: what can be asked here, with nothing loaded from anywhere."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ info.title }}</title>
<h1>{{ info.title }} {{ info.version }}</h1>
<p>{{ info.description }}</p>
<pre>curl -s localhost:3000/search -d '{"query": "a red fox", "k": 3}'</pre>
<table>
<caption>Routes, told in full in <a href="docs.json">docs.json</a> (OpenAPI)</caption>
<thead><tr><th scope="col">Method</th><th scope="col">Path</th><th scope="col">Answer</th></tr>
</thead>
<tbody>
{% for path, methods in paths.items() -%}
{% for method, operation in methods.items() -%}
<tr><td>{{ method.upper() }}</td><td><code>{{ path }}</code></td><td>
{{- operation.summary }}</td></tr>
{% endfor -%}
{% endfor -%}
</tbody>
</table>
"""


def index_page(openapi: dict[str, Any]) -> str:
    """HTML that lists an OpenAPI document's routes."""
    return _template().render(info=openapi["info"], paths=openapi["paths"])


@cache
def _template() -> Template:
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(_PAGE)
