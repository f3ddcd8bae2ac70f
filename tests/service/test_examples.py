"""``examples/``: each is run as its page says, over the gallery; the module in tests/ui."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture
def run(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SIGHTLINE_SERVICE_URL", str(client.base_url))
    monkeypatch.setenv("NO_PROXY", "*")

    def start(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    return start


def test_python_searches_by_words_and_by_an_image(run: Any) -> None:
    words = run(sys.executable, "examples/search.py", "a red fox")
    assert words.returncode == 0, words.stderr
    assert len(words.stdout.splitlines()) == 3
    best = words.stdout.split()[1]
    alike = run(sys.executable, "examples/search.py", "--image", f"demo/gallery/{best}")
    assert alike.returncode == 0, alike.stderr
    assert alike.stdout.split()[1] == best


def test_python_says_what_the_service_says(run: Any) -> None:
    refused = run(sys.executable, "examples/search.py", "x" * 1001)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: query: ")


def test_curl_searches(run: Any) -> None:
    found = run("examples/search.sh", 'a "red" fox \\ guitar')
    assert found.returncode == 0, found.stderr
    assert len(json.loads(found.stdout)["results"]) == 3
    refused = run("examples/search.sh", " ")
    assert refused.returncode == 22
    assert json.loads(refused.stdout)["error"]["field"] == "query"


class _Noting(BaseHTTPRequestHandler):
    keys: ClassVar[list[str | None]] = []

    def do_POST(self) -> None:
        self.keys.append(self.headers["Authorization"])
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"results": []}')

    def log_message(self, *_: object) -> None:
        """Tells nobody."""


@pytest.mark.parametrize(
    "command", [["examples/search.sh"], [sys.executable, "examples/search.py"]], ids=["sh", "py"]
)
def test_a_key_is_sent(run: Any, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    _Noting.keys.clear()
    with HTTPServer(("127.0.0.1", 0), _Noting) as server:
        monkeypatch.setenv("SIGHTLINE_SERVICE_URL", f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            run(*command, "a fox")
            monkeypatch.setenv("SIGHTLINE_API_KEY", "s3cret")
            run(*command, "a fox")
        finally:
            server.shutdown()
            thread.join()
    assert _Noting.keys == [None, "Bearer s3cret"]


def test_every_cell_of_the_notebook_runs(run: Any) -> None:
    notebook = json.loads((EXAMPLES / "search.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    # Nobody's results are kept in it.
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    names: dict[str, Any] = {}
    shown = [last_value("".join(cell["source"]), names) for cell in cells]
    figures = [value._repr_html_() for value in shown if hasattr(value, "_repr_html_")]
    names["client"].close()
    assert [figure.count("<img src=") for figure in figures] == [3, 3, 3]
    assert all(figure.count(' alt=""') == 0 for figure in figures)
    [cosine] = [value for value in shown if isinstance(value, float)]
    assert 0 < cosine < 1


def last_value(code: str, names: dict[str, Any]) -> Any:
    """What a notebook shows after a cell: the value of its last expression."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return None if last is None else eval(ast.unparse(last), names)


def test_each_is_named_on_their_page() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    there = {path.name for path in EXAMPLES.iterdir() if path.name != "README.md"}
    assert {name for name in there if not name.startswith("__")} == {
        name for name in there if f"({name})" in page
    }
    assert os.access(EXAMPLES / "search.sh", os.X_OK)
