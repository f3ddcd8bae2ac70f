"""A hook of MkDocs: pages of the site that lie outside of ``docs/``, and links that lead there.

On the site a link to a file that is no page of it becomes its text: the code is in the repository.
"""

from __future__ import annotations

import posixpath
import re
from functools import partial
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = Path(__file__).resolve().parent.parent
# What they are called on the site, by where they are in the repository.
PAGES = {
    "README.md": "guide.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "examples/README.md": "examples.md",
    "demo/model/MODEL_CARD.md": "demo-model.md",
    "demo/gallery/README.md": "demo-gallery.md",
}
_PLACES = {name: path for path, name in PAGES.items()}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> Files:
    """Take the pages from outside in."""
    for path, name in PAGES.items():
        files.append(File.generated(config, name, abs_src_path=str(_ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let the links of a page lead where their targets are on the site."""
    uri = page.file.src_uri
    folder = posixpath.dirname(_PLACES.get(uri, f"docs/{uri}"))
    return _LINK.sub(partial(_on_the_site, folder), markdown)


def _on_the_site(folder: str, link: re.Match[str]) -> str:
    image, label, target, anchor = link.groups(default="")
    if ":" in target:
        return link[0]
    target = posixpath.normpath(posixpath.join(folder, target))
    place = PAGES.get(target, target.removeprefix("docs/"))
    if place == target:
        return label
    return f"{image}[{label}]({place}{anchor})"
