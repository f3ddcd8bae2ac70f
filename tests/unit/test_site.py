"""The docs as a site: built without a warning, and nothing in it comes from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

from tests.own_files import ROOT
from tests.tools import require_module


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_module("mkdocs", "the site is built (requirements/docs.txt)")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = [path.read_text(encoding="utf-8") for path in site.rglob("*.html")]
    assert len(pages) > 15
    loaded = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=\"?(?:https?:)?//")
    assert [found for page in pages for found in loaded.findall(page)] == []
    styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    assert not any(re.search(r"(?:url\(|@import )[\"']?(?:https?:)?//", style) for style in styles)
    # Its script fetches what draws them.
    assert not any('class="mermaid"' in page for page in pages)


def test_the_reference_has_every_route_type_and_field_of_the_document(site: Path) -> None:
    from docs.api_reference import whole_document

    document = whole_document()
    page = (site / "api.html").read_text(encoding="utf-8")
    heads = [unescape(head) for head in re.findall(r"<h3 id=\S+>(.*?)<a ", page)]
    routes = [
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
    ]
    schemas = document["components"]["schemas"]
    assert heads == [*routes, *sorted(schemas)]
    types = page[page.index('<h2 id="types">') :]
    for name, schema in schemas.items():
        section = types[types.index(f'<h3 id="{name.lower()}">') :].split("<h3 ", 2)[1]
        for field in schema.get("properties", {}):
            assert f"<td><code>{field}</code></td>" in section, f"{name}.{field}"
    for status in ("400", "507"):
        assert f"<td><code>{status}</code></td>" in page
    query = types[types.index('<h3 id="searchrequest">') :]
    assert "<td>text of 1 to 1000 characters</td>\n<td>what the image shows</td>" in query
    assert '<td>list of 1 to 16 <a href="#querypart">QueryPart</a></td>' in query
    assert "whole number from 1 to 1000; <code>5</code> where it is left out" in query


def test_the_papers_outside_of_docs_are_on_it_and_linked(site: Path) -> None:
    architecture = (site / "architecture.html").read_text(encoding="utf-8")
    # The code is not on the site.
    assert '<a href="../' not in architecture
    assert "NEGATIVE_WEIGHT</code> in serving/planner.py" in architecture
    assert 'href="bundle.html"' in architecture
    guide = (site / "guide.html").read_text(encoding="utf-8")
    for name in ("contributing", "demo-model", "examples", "architecture"):
        assert f'href="{name}.html"' in guide
        assert (site / f"{name}.html").exists()
