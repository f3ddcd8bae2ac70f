"""Filters and forms that no client sends."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from serving.app import App
from tests.build.images import image_bytes
from tests.fuzz.conftest import bounded, tries
from tests.fuzz.edits import edited
from tests.fuzz.test_documents import JSON
from tests.serving.conftest import ask, error_of

OPERATORS = ("gt", "gte", "lt", "lte", "in", "not_in", "any", "all", "exists", "prefix", "near")
FIELDS = ("year", "kind", "nosuch", "", "a" * 129, "kind' OR 1=1 --", "\0", "year\u0301")
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["odd", "even", 1960, "", "%", "\ud800", "x" * 1001]),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=8,
)
CONDITIONS = VALUES | st.dictionaries(
    st.sampled_from(OPERATORS) | st.text(max_size=6), VALUES, max_size=4
)
FILTERS = (
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), CONDITIONS, max_size=5) | JSON
)


def post(app: App, path: str, content: bytes, kind: str) -> int:
    """What is answered, which has to be an answer or a refusal of the one shape."""
    with bounded():
        response = ask(app, "POST", path, content=content, headers={"Content-Type": kind})
    if response.status_code != 200:
        assert 400 <= response.status_code < 500, response.text
        error_of(response)
    event(str(response.status_code))
    return response.status_code


@given(asked=FILTERS, query=st.sampled_from(["a fox", None]))
@tries(1200)
def test_a_filter_is_met_or_refused(app: App, asked: Any, query: str | None) -> None:
    body: dict[str, Any] = {"query": query, "filter": asked}
    content = json.dumps(body).encode(errors="surrogatepass")
    post(app, "/search", content, "application/json")


SEARCHES = [
    b'{"query": "a fox", "k": 3}',
    b'{"query": "a fox", "negative": "snow", "min_similarity": 0.2, "include_embeddings": true}',
    b'{"query": "a fox", "filter": {"year": {"gte": 1960, "lt": 1970}, "kind": ["odd", "even"]}}',
    b'{"queries": [{"text": "fox", "weight": -0.5}, {"like": "0", "weight": 1e300}], "offset": 9}',
    b'{"queries": [{"image": "data:image/png;base64,iVBORw0KGgo="}, {"text": "snow"}]}',
    b'{"query": "\\"number 7\\" blob* OR (", "mode": "auto", "k": 100}',
    b'{"query": "2:fox + \\"snow - ice\\" - .5:house", "syntax": "algebra"}',
    b"\xef\xbb\xbf" + b'{"query": "\\ud83e\\udd8a"}',
    b'{"query": ' * 500,
]


@given(content=edited(SEARCHES))
@tries(800)
def test_a_body_is_read_or_refused(app: App, content: bytes) -> None:
    post(app, "/search", content, "application/json")


def form(*parts: tuple[str, bytes]) -> bytes:
    lines = [
        b"--b\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (name.encode(), content)
        for name, content in parts
    ]
    return b"".join(lines) + b"--b--\r\n"


FORMS = [
    form(('name="image"; filename="x.png"', image_bytes(1))),
    form(('name="image"; filename="x.png"', image_bytes(2)), ('name="k"', b"7")),
    form(('name="k"', b"7"), ('name="image"; filename="../../etc/passwd"', image_bytes(3))),
    form(('name="image"', image_bytes(1))),
    form(
        ('name="image"; filename="x.png"', image_bytes(2)),
        ('name="queries"', b'[{"text": "fox", "weight": -1}]'),
        ('name="filter"', b'{"kind": "odd"}'),
        ('name="weight"', b"0.5"),
        ('name="query"', b"fox"),
    ),
    form(*(('name="k"', b"1") for _ in range(50))),
    b"--b--\r\n",
    b"",
]


@given(content=edited(FORMS), boundary=st.sampled_from(["b", "c", "", "b" * 300, '"']))
@tries(1000)
def test_a_form_is_read_or_refused(app: App, content: bytes, boundary: str) -> None:
    post(app, "/search_by_image", content, f"multipart/form-data; boundary={boundary}")
