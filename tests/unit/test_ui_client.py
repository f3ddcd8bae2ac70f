"""The page's client: what it asks, what it reads, and how it names trouble."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ui.fake import result
from ui.answers import ServiceError
from ui.client import Addresses, Service, read_timing
from ui.question import Question

Answerer = Callable[[httpx.Request], httpx.Response]


def service(answer: Answerer, addresses: Addresses | None = None) -> Service:
    return Service(addresses or Addresses(), httpx.MockTransport(answer))


def failing(answer: Answerer) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        service(answer).search(Question(text="a fox"))
    return caught.value


def test_a_search_says_only_what_was_asked_and_reads_the_answer() -> None:
    asked: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        said = {"caption": "A fox", "metadata": {"year": 1999}, "text": "FOXES"}
        found = [result(1, 0.31, **said), result(2, 0.2)]
        return httpx.Response(
            200,
            json={"results": found},
            headers={"Server-Timing": "tokenize;dur=0.2, encode;dur=2.5"},
        )

    answered = service(answer).search(Question(text="a fox", k=24))
    assert asked == [{"query": "a fox", "k": 24, "mode": "auto", "spelling": True}]
    assert [image.similarity for image in answered.images] == [0.31, 0.2]
    assert answered.images[0].caption == "A fox"
    assert answered.images[0].metadata == {"year": 1999}
    assert [image.text for image in answered.images] == ["FOXES", None]
    assert answered.timing == {"tokenize": 0.2, "encode": 2.5}


def paged(many: int) -> Answerer:
    """A service with so many images, numbered from 0, of which the first twenty are relevant."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        start = asked["offset"]
        numbers = range(many)[start : start + asked["k"]]
        found = [result(number, 0.9 - number / 1000) for number in numbers]
        return httpx.Response(200, json={"results": found, "total_relevant": min(many, 20)})

    return answer


def test_page_after_page_up_to_the_end() -> None:
    client, question = service(paged(30)), Question(text="a fox")
    whole = client.search(question, 0)
    assert (len(whole.images), whole.total, whole.next) == (12, 20, 12)
    while whole.next is not None:
        whole = whole.with_more(client.search(question, whole.next))
    assert [image.id for image in whole.images] == [result(n, 0)["id"] for n in range(30)]


def test_no_page_begins_where_the_service_gives_none() -> None:
    client, question = service(paged(5000)), Question(text="a fox", k=96)
    assert client.search(question, 960).next is None
    assert client.search(question, 864).next == 960


def test_what_others_are_to_resemble_is_not_among_them_nor_counted() -> None:
    question = Question(like=result(0, 0)["id"])
    first = service(paged(100)).search(question, 0)
    assert [image.id for image in first.images] == [result(n, 0)["id"] for n in range(1, 13)]
    assert (first.total, first.next) == (19, 13)


def test_an_image_that_comes_twice_is_shown_once() -> None:
    """Of two pages between which the service has changed over to another bundle, say."""
    client = service(paged(30))
    first = client.search(Question(text="a fox"), 0)
    assert first.with_more(client.search(Question(text="a fox"), 6)).images == (
        first.images + client.search(Question(text="a fox"), 6).images[6:]
    )


def test_an_older_service_takes_no_view_of_what_is_relevant() -> None:
    found = [result(1, 0.3, relevant=True), result(2, 0.2), result(3, 0.1, relevant=False)]
    answered = service(lambda _: httpx.Response(200, json={"results": found})).search(
        Question(text="a fox")
    )
    assert [image.relevant for image in answered.images] == [True, True, False]
    assert answered.relevant == answered.images[:2]
    assert answered.weaker == answered.images[2:]


def test_a_recording_is_sent_as_a_file() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/transcribe"
        assert b'name="audio"' in request.content
        assert b"RIFF" in request.content
        return httpx.Response(200, json={"text": "a red fox"})

    assert service(answer).transcribe(b"RIFF") == "a red fox"
    for strange in (["text"], {}):
        with pytest.raises(ServiceError, match="unexpected answer"):
            service(lambda _, body=strange: httpx.Response(200, json=body)).transcribe(b"")  # type: ignore[misc]


def test_images_have_the_address_under_which_the_browser_finds_the_service() -> None:
    addresses = Addresses("http://inside:3000", "https://pictures.example/search")
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"results": [result(1, 0.3)]})

    (image,) = service(answer, addresses).search(Question(text="a fox")).images
    assert asked == ["http://inside:3000/search"]
    start = "https://pictures.example/search/images/0000000000000001"
    assert image.src == f"{start}?size=thumbnail&v=1"
    assert image.original == start


def test_a_thumbnail_that_lies_elsewhere_is_the_browser_s_to_fetch() -> None:
    there = "https://cdn.example.org/1.webp"
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"results": [result(1, 0.3) | {"image_url": there}]})

    for addresses in (Addresses(), Addresses(api_key="secret")):
        [image] = service(answer, addresses).search(Question(text="a fox")).images
        assert image.src == there
    assert asked == ["/search"] * 2


def test_with_a_key_thumbnails_come_inside_the_page() -> None:
    keys: set[str] = set()

    def answer(request: httpx.Request) -> httpx.Response:
        keys.add(request.headers["authorization"])
        if request.url.path == "/search":
            return httpx.Response(200, json={"results": [result(1, 0.3), result(2, 0.2)]})
        if request.url.path.endswith("1"):
            return httpx.Response(200, content=b"RIFF", headers={"content-type": "image/webp"})
        return httpx.Response(404, json={"error": {"field": "id", "message": "no"}})

    addresses = Addresses(api_key="secret")
    found = service(answer, addresses).search(Question(text="a fox")).images
    assert keys == {"Bearer secret"}
    assert found[0].src == "data:image/webp;base64,UklGRg=="
    assert found[1].src == ""
    assert [image.original for image in found] == [None, None]


def test_where_nobody_else_reaches_the_service_they_do_as_well() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert "authorization" not in request.headers
        if request.url.path == "/search":
            return httpx.Response(200, json={"results": [result(1, 0.3)]})
        return httpx.Response(200, content=b"RIFF", headers={"content-type": "image/webp"})

    alone = service(answer, Addresses(public=None))
    [image] = alone.search(Question(text="a fox")).images
    assert image.src == alone.thumbnail(image.id) == "data:image/webp;base64,UklGRg=="
    assert image.original is None


def test_an_image_is_sent_with_all_that_is_asked_beside_it() -> None:
    asked: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.content)
        headers = {"X-Sightline-Bundle": "0123456789abcdef"}
        return httpx.Response(200, json={"results": [result(1, 0.3)]}, headers=headers)

    question = Question(text="snow", filter={"year": 1999}, weight=2.0)
    answered = service(answer).search_by_image(b"RIFF", question, 12)
    for name, value in (
        ("query", "snow"), ("filter", '{"year": 1999}'), ("weight", "2"), ("offset", "12"),
    ):  # fmt: skip
        assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in asked[0]
    assert answered.version == "0123456789abcdef"


def test_what_the_service_says_is_kept_in_its_words() -> None:
    said = {"results": [result(1, 0.3, sources={"year": "exif"})], "warnings": ["no field 'x'"]}
    answered = service(lambda _: httpx.Response(200, json=said)).search(Question(text="a fox"))
    assert [image.said for image in answered.images] == said["results"]
    assert answered.warnings == ("no field 'x'",)


def test_facts_are_of_the_image_that_was_asked_for() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"asked": request.url.raw_path.decode()})

    assert service(answer).facts("a/b") == {"asked": "/images/a%2Fb/facts"}
    with pytest.raises(ServiceError, match="unexpected answer"):
        service(lambda _: httpx.Response(200, json=[])).facts("a")


def facts_of(request: httpx.Request) -> httpx.Response:
    """Of every image but the one that is called gone."""
    [_, _, image_id, _] = request.url.path.split("/")
    if image_id == "gone":
        error = {"error": {"field": "id", "message": "id: no image has the id 'gone'"}}
        return httpx.Response(404, json=error)
    return httpx.Response(200, json=result(1, 0.5) | {"id": image_id})


def test_images_are_looked_up_by_their_ids() -> None:
    answer = service(facts_of).images(["b", "gone", "a"])
    assert [image.id for image in answer.images] == ["b", "a"]
    assert not answer.ranked
    assert answer.images[0].src.startswith("http://127.0.0.1:3000/images/")
    assert service(facts_of).images([]).images == ()
    body = {"error": {"field": None, "message": "oh"}}
    stopped = service(lambda _: httpx.Response(503, json=body))
    with pytest.raises(ServiceError, match="oh"):
        stopped.images(["a"])


def test_what_resembles_several_does_not_show_them_again() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        found = [result(number, 0.9) for number in range(15)]
        return httpx.Response(200, json={"results": found, "total_relevant": 20})

    likes = ",".join(str(result(number, 0)["id"]) for number in range(3))
    found = service(answer).search(Question(like=likes), 0)
    assert [image.id for image in found.images] == [
        result(number, 0)["id"] for number in range(3, 15)
    ]
    assert (found.total, found.next) == (17, 15)


def test_of_what_is_folded_the_one_that_is_resembled_stands_for_what_looks_like_it() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        start = asked["offset"]
        found = [
            result(n, 0.9, duplicates=0, duplicate_ids=[]) for n in range(start, start + asked["k"])
        ]
        if start == 0:
            found[0] |= {"duplicates": 1, "duplicate_ids": ["b"]}
        return httpx.Response(200, json={"results": found[: 30 - start], "total_relevant": 30})

    ids = [str(result(number, 0)["id"]) for number in range(30)]
    client, question = service(answer), Question(like=",".join(ids[:2]), fold=True)
    whole = client.search(question, 0)
    assert [image.id for image in whole.images] == [ids[0], *ids[2:14]]
    assert (whole.images[0].alike, whole.images[0].alike_ids) == (1, ("b",))
    assert (whole.total, whole.next) == (29, 14)
    # The other pages know nothing of it, and are counted alike.
    while whole.next is not None:
        whole = whole.with_more(client.search(question, whole.next))
        assert whole.total == 29
    assert len(whole.images) == 29


@pytest.mark.parametrize(
    "said", [{}, {"duplicates": 3}, {"duplicates": "3", "duplicate_ids": ["b"]},
             {"duplicates": -1, "duplicate_ids": ["b"]}, {"duplicates": 1, "duplicate_ids": "b"}],
)  # fmt: skip
def test_what_says_nothing_of_others_stands_for_itself(said: dict[str, Any]) -> None:
    answer = {"results": [result(0, 0.9) | said]}
    found = service(lambda _: httpx.Response(200, json=answer)).search(Question(text="a fox"))
    assert found.images[0].alike == 0


def test_an_archive_comes_to_who_has_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") != "Bearer k":
            return httpx.Response(401, json={"error": {"field": None, "message": "a key"}})
        assert request.url.path == "/images.zip"
        return httpx.Response(200, content=request.url.params["ids"].encode())

    keyed = service(answer, Addresses(api_key="k"))
    assert keyed.archive(["a", "b"]) == b"a,b"
    assert keyed.archive_address is None
    public = service(answer, Addresses(public="http://photos/api"))
    assert public.archive_address == "http://photos/api/images.zip"
    with pytest.raises(ServiceError, match="a key") as caught:
        public.archive(["a"])
    assert caught.value.problem == "locked"
    # A page that keeps it in memory takes no more than it can.
    monkeypatch.setattr("ui.client._MOST_ARCHIVED", 2)
    with pytest.raises(ServiceError) as caught:
        keyed.archive(["a", "b"])
    assert caught.value.field == "ids"


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (400, "refused"),
        (401, "locked"),
        (404, "refused"),
        (413, "refused"),
        (429, "busy"),
        (500, "failed"),
        (503, "down"),
    ],
)
def test_a_refusal_keeps_the_service_s_words(status: int, problem: str) -> None:
    body = {"error": {"field": "query", "message": "query: too long"}}
    error = failing(lambda _: httpx.Response(status, json=body, headers={"Retry-After": "3"}))
    assert (error.problem, error.message) == (problem, "query: too long")
    assert (error.field, error.retry_after) == ("query", 3)


@pytest.mark.parametrize(
    ("raised", "problem"),
    [
        (httpx.ConnectError("refused"), "down"),
        (httpx.ConnectTimeout("no answer"), "down"),
        (httpx.ReadTimeout("no answer"), "slow"),
        (httpx.RemoteProtocolError("gone"), "down"),
    ],
)
def test_a_broken_connection_has_a_name(raised: httpx.HTTPError, problem: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise raised

    assert failing(answer).problem == problem


@pytest.mark.parametrize(
    "content", ["", "<html>", "[]", "{}", '{"results": [{"id": 1}]}', '{"results": 1}']
)
def test_an_answer_of_another_kind_is_a_failure(content: str) -> None:
    assert failing(lambda _: httpx.Response(200, text=content)).problem == "failed"


def test_a_refusal_in_html_is_one_too() -> None:
    error = failing(lambda _: httpx.Response(502, text="<h1>Bad gateway</h1>"))
    assert (error.problem, error.message) == ("down", "Bad Gateway")


def test_addresses_come_from_the_environment() -> None:
    assert Addresses.from_environment({}) == Addresses(
        "http://127.0.0.1:3000", "http://127.0.0.1:3000", None
    )
    read = Addresses.from_environment(
        {"SIGHTLINE_SERVICE_URL": "http://inside/", "SIGHTLINE_API_KEY": ""}
    )
    assert read == Addresses("http://inside", "http://inside", None)


@given(st.text() | st.from_regex(r"[a;= ]{1,4};dur=[0-9.e ,]*"))
def test_any_server_timing_is_read_or_left(header: str) -> None:
    assert all(duration >= 0 for duration in read_timing(header).values())


def test_server_timing_is_read() -> None:
    assert read_timing("tokenize;dur=0.125, queue ; dur=3") == {"tokenize": 0.125, "queue": 3.0}
    assert read_timing("cache;desc=hit, encode;dur=1.2.3, search;dur=.") == {}


def test_images_that_nobody_seeks_have_no_similarity_and_are_paged_to_the_end() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        found = [result(n, 0.0) | {"similarity": None} for n in range(asked["k"])]
        return httpx.Response(200, json={"results": found, "total_relevant": 200_000})

    question = Question(sort="path")
    browsed = service(answer).search(question, 5000)
    assert [image.similarity for image in browsed.images] == [None] * 12
    assert not browsed.ranked
    assert browsed.next == 5012
    assert service(answer).search(question, 99_996).next is None
    assert service(answer).search(Question(text="a fox"), 5000).next is None


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"facets": {"kind": {"values": []}}, "images": 3}, {"kind": {"values": []}}),
        (404, {"error": {"field": None, "message": "no such path"}}, {}),
        (200, {"images": 3}, {}),
        (200, [], {}),
    ],
)
def test_what_there_is_to_filter_by(status: int, body: Any, expected: dict[str, Any]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/facets"
        return httpx.Response(status, json=body)

    assert service(answer).facets() == expected


def test_a_service_in_trouble_is_no_older_one() -> None:
    with pytest.raises(ServiceError):
        service(lambda request: httpx.Response(500, json={})).facets()
