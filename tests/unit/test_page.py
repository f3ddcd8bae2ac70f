"""The page at ``/``."""

from __future__ import annotations

from serving.page import index_page


def test_it_lists_every_route_and_runs_nothing_of_what_it_lists() -> None:
    page = index_page(
        {
            "info": {"title": "<T>", "version": "1 & 2", "description": "Finds <things>."},
            "paths": {
                "/a/{id}": {"get": {"summary": "One <b>"}, "delete": {"summary": "Gone"}},
                "/b": {"post": {"summary": "Two"}},
            },
        }
    )
    assert "<title>&lt;T&gt;</title>" in page
    assert "<h1>&lt;T&gt; 1 &amp; 2</h1>" in page
    assert "<p>Finds &lt;things&gt;.</p>" in page
    rows = page[page.index("<tbody>\n") + 8 : page.index("\n</tbody>")]
    assert rows.splitlines() == [
        "<tr><td>GET</td><td><code>/a/{id}</code></td><td>One &lt;b&gt;</td></tr>",
        "<tr><td>DELETE</td><td><code>/a/{id}</code></td><td>Gone</td></tr>",
        "<tr><td>POST</td><td><code>/b</code></td><td>Two</td></tr>",
    ]
    # As it is typed: doubled braces are the template's.
    assert """-d '{"query": "a red fox", "k": 3}'""" in page
