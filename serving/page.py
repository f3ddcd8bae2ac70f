"""The page at ``/``: what can be asked here, with nothing loaded from anywhere."""

from __future__ import annotations

from html import escape
from typing import Any

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<h1>{title} {version}</h1>
<p>{description}</p>
<pre>curl -s localhost:3000/search -d '{{"query": "a red fox", "k": 3}}'</pre>
<table>
<caption>Routes, told in full in <a href="docs.json">docs.json</a> (OpenAPI)</caption>
<thead><tr><th scope="col">Method</th><th scope="col">Path</th><th scope="col">Answer</th></tr>
</thead>
<tbody>
{rows}
</tbody>
</table>
"""


def index_page(openapi: dict[str, Any]) -> str:
    """HTML that lists an OpenAPI document's routes."""
    rows = (
        f"<tr><td>{method.upper()}</td><td><code>{escape(path)}</code></td>"
        f"<td>{escape(operation['summary'])}</td></tr>"
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    )
    facts = {name: escape(openapi["info"][name]) for name in ("title", "version", "description")}
    return _PAGE.format(**facts, rows="\n".join(rows))
