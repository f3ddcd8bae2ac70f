"""The HTML of the results: what it says, and that nothing from outside is markup in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any, get_args
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui import results, summary
from ui.answers import Answer, FoundImage, Problem, ServiceError
from ui.english import ENGLISH
from ui.german import GERMAN
from ui.question import Question
from ui.texts import Texts

FOX = FoundImage(
    id="0123456789abcdef",
    image_path="animals/fox.png",
    similarity=0.31,
    alt_text="A red fox in the snow",
    src="http://service/images/0123456789abcdef?size=thumbnail&v=1",
    original="http://service/images/0123456789abcdef",
    caption=None,
    metadata={"licence": "CC0-1.0", "year": 1999, "tags": ["a", "b"], "drawn": True},
)
WEAK = replace(FOX, relevant=False)
NO_TAG = {"img", "br", "input", "hr"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    within: tuple[str, ...] = ()


@dataclass
class Page(HTMLParser):
    """The elements of a piece of HTML, which has to be well nested."""

    elements: list[Element] = field(default_factory=list)
    stack: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    @classmethod
    def of(cls, html: str) -> Page:
        page = cls()
        page.feed(html)
        page.close()
        assert page.stack == [], "an element is left open"
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), "an attribute comes twice"
        element = Element(tag, dict(attrs), within=tuple(open_.tag for open_ in self.stack))
        self.elements.append(element)
        if tag not in NO_TAG:
            self.stack.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self.stack:
            element.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]

    def actions(self, name: str) -> list[Element]:
        return [part for part in self.elements if part.attributes.get("data-action") == name]

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(element.tag, tuple(element.attributes)) for element in self.elements]


def answered(*images: FoundImage) -> Answer:
    return Answer(images, {"tokenize": 0.2, "queue": 0.1, "encode": 2.0, "search": 0.4}, 3.0)


def shown(
    *images: FoundImage,
    question: Question | None = None,
    texts: Texts = ENGLISH,
    **options: Any,
) -> Page:
    answer = answered(*images)
    options.setdefault("info", {"model": {"name": "ViT-B-32"}, "index": {"kind": "Flat"}})
    question = question or Question(text="a fox")
    return Page.of(results.answer_html(answer, question, "1 picture", texts, **options))


def test_images_are_a_list_of_figures_under_a_heading() -> None:
    page = shown(FOX, replace(FOX, id="f" * 16, similarity=0.1551))
    [heading] = page.all("h2")
    assert heading.text == "1 picture"
    assert heading.attributes["tabindex"] == "-1"
    figures = page.all("figure")
    assert [figure.within for figure in figures] == [("ul", "li")] * 2
    assert [image.attributes["alt"] for image in page.all("img")] == [FOX.alt_text] * 2
    numbers = [part.text for part in page.all("span") if part.attributes.get("class") == "number"]
    assert numbers == ["similarity 0.31", "similarity 0.16"]
    bars = [part.attributes["style"] for part in page.all("span") if "style" in part.attributes]
    assert bars[:2] == ["width:100%", "width:50%"]


def test_each_of_several_values_narrows_the_search() -> None:
    links = shown(replace(FOX, metadata={"keywords": ["fox", "snow"]})).actions("filter")
    assert [link.text for link in links] == ["fox", "snow"]
    assert links[1].attributes["data-value"] == '{"keywords": "snow"}'


def test_what_an_image_says_itself_is_told_apart() -> None:
    said = {"sources": {"camera": "exif", "city": "xmp-sidecar", "caption": "iptc"}}
    metadata = {"camera": "Leica", "city": "Oslo", "licence": "CC0"}
    details = shown(replace(FOX, metadata=metadata, said=said)).all("dd")
    assert [one.text for one in details][:3] == ["Leica (EXIF)", "Oslo (XMP)", "CC0"]
    for strange in ({"sources": None}, {"sources": {"camera": 1}}, {}):
        [first, *_] = shown(replace(FOX, metadata=metadata, said=strange)).all("dd")
        assert first.text == "Leica"


def test_tags_are_spoken_in_their_own_language() -> None:
    tagged = replace(FOX, caption=None, said={"sources": {"alt_text": "tags"}})
    answer = answered(tagged)

    def languages(texts: Texts) -> list[str | None]:
        page = Page.of(results.answer_html(answer, Question(text="a"), "", texts, info={}))
        return [
            one.attributes.get("lang") for name in ("img", "figcaption") for one in page.all(name)
        ]

    assert languages(GERMAN) == ["en", "en"]
    assert languages(ENGLISH) == [None, None]


def test_the_heading_says_how_many_there_are_and_a_button_shows_more() -> None:
    question = Question(text="a fox")
    some = replace(answered(FOX, FOX), total=29, next=12)
    assert summary.summary(question, some, "", None, ENGLISH) == "2 of 29 pictures for “a fox”"
    all_of_them = replace(some, total=2)
    assert summary.summary(question, all_of_them, "", None, ENGLISH) == "2 pictures for “a fox”"

    def buttons(answer: Answer) -> list[tuple[str, ...]]:
        page = Page.of(results.answer_html(answer, question, "", ENGLISH, info={}))
        return [one.within for one in page.all("button") if one.attributes["data-action"] == "more"]

    assert buttons(some) == [("p",)]
    assert buttons(replace(some, next=None)) == []
    weaker = replace(some, images=(FOX, replace(FOX, relevant=False)))
    assert buttons(weaker) == [("details", "p")]


def test_every_link_tells_which_image_it_is_about() -> None:
    page = shown(FOX)
    [like] = page.actions("like")
    assert like.attributes["aria-label"] == "More like this: A red fox in the snow"
    assert like.attributes["href"] == "?q=a+fox&like=0123456789abcdef"
    assert like.attributes["data-value"] == FOX.id
    assert page.all("summary")[0].text == "Details: A red fox in the snow"


@pytest.mark.parametrize(
    ("number", "texts", "told", "others"),
    [
        (1, ENGLISH, "+1 alike", "show the picture that looks like this"),
        (3, ENGLISH, "+3 alike", "show the 3 pictures that look like this"),
        (300, ENGLISH, "+300 alike", "show the first 10 pictures that look like this"),
        (3, GERMAN, "+3 ähnliche", "die 3 Bilder zeigen, die so aussehen wie dieses"),
    ],
)
def test_what_looks_like_an_image_is_a_link_away(
    number: int, texts: Texts, told: str, others: str
) -> None:
    ids = [f"{each:016x}" for each in range(min(number, 10))]
    image = replace(FOX, said={"duplicates": number, "duplicate_ids": ids})
    question = Question(text="a fox", filter={"a": 1}, k=24, fold=True)
    [link] = shown(image, question=question, texts=texts).actions("ids")
    assert link.text == told
    assert link.attributes["aria-label"] == f"{told}: {others}: {FOX.alt_text}"
    assert link.attributes["data-value"] == ",".join([FOX.id, *ids])
    address = parse_qs(str(link.attributes["href"]).removeprefix("?"))
    assert address == {"ids": [",".join([FOX.id, *ids])], "k": ["24"], "fold": ["1"]}


def test_what_stands_for_itself_leads_to_no_others() -> None:
    alone = replace(FOX, said={"duplicates": 0, "duplicate_ids": []})
    assert shown(alone, question=Question(text="a fox", fold=True)).actions("ids") == []
    assert shown(FOX).actions("ids") == []


def test_metadata_narrows_the_search_that_was_made() -> None:
    question = Question(text="a fox", filter={"year": 1999})
    links = shown(FOX, question=question).actions("filter")
    assert [link.attributes["data-value"] for link in links] == [
        '{"licence": "CC0-1.0"}',
        '{"year": 1999}',
        '{"tags": "a"}',
        '{"tags": "b"}',
    ]
    assert "filter=%7B%22licence%22" in (links[0].attributes["href"] or "")
    assert "q=a+fox" in (links[0].attributes["href"] or "")


def test_where_an_image_comes_from_can_be_visited_but_only_on_the_web() -> None:
    metadata = {"source": "https://example.org/a?b=1&c", "other": "javascript:alert(1)", "by": ""}
    page = shown(replace(FOX, metadata=metadata), upload=True)
    [visit] = [link for link in page.all("a") if link.within[-1] == "dd"]
    assert visit.attributes["href"] == "https://example.org/a?b=1&c"
    assert "noopener" in (visit.attributes["rel"] or "")
    assert [term.text for term in page.all("dt")][:2] == ["Source", "Other"]


def test_the_text_in_an_image_is_among_its_details() -> None:
    page = shown(replace(FOX, text="NO <b>ENTRY</b>", metadata={}))
    [term, text] = [part for part in page.elements if part.within[-2:] == ("details", "dl")][:2]
    assert (term.tag, term.text) == ("dt", "Text in the picture")
    assert (text.tag, text.text) == ("dd", "NO <b>ENTRY</b>")
    assert "Text in the picture" not in [term.text for term in shown(FOX).all("dt")]


def test_a_search_with_ones_own_image_has_filters_but_no_link() -> None:
    """What no address can hold is a button."""
    page = shown(FOX, upload=True)
    for part in page.actions("filter"):
        assert (part.tag, part.attributes["type"]) == ("button", "button")
        assert "href" not in part.attributes
    assert len(page.actions("filter")) == 4
    assert page.actions("copy") == []
    assert page.actions("like")
    empty = shown(question=Question(filter={"year": 1}), upload=True)
    assert {part.tag for part in empty.actions("keep")} == {"button"}


def test_a_card_has_the_shape_of_its_image_and_what_stands_in_for_it() -> None:
    def frame(**said: Any) -> Element:
        [found] = shown(replace(FOX, said=said)).actions("view")
        return found

    opaque, clear = "3OcRJYB4d3h/iIeHeEh3eIhw+j3A", "XRiGCgI2A6mLxgc3f3XzVyeIcJh6mGg="
    wide = frame(width=640, height=320, thumbhash=opaque)
    assert wide.attributes["data-ratio"] == "2.000"
    assert wide.attributes["data-thumbhash"] == opaque
    assert wide.attributes["class"] == "frame opaque"
    assert frame(width=1, height=1, thumbhash=clear).attributes["class"] == "frame clear"
    [item] = shown(replace(FOX, said={"width": 640, "height": 320})).all("li")[:1]
    assert item.attributes["style"] == "--ratio:2.000"


@pytest.mark.parametrize(
    "said",
    [{}, {"width": 0, "height": 1}, {"width": "a", "height": None}, {"thumbhash": 3},
     {"thumbhash": "<b>"}, {"thumbhash": "AAAA"}],
)  # fmt: skip
def test_of_an_older_or_a_strange_service_nothing_stands_in(said: dict[str, Any]) -> None:
    [frame] = shown(replace(FOX, said=said)).actions("view")
    assert frame.attributes["data-thumbhash"] == ""
    assert frame.attributes["data-ratio"] == "1.000"
    assert frame.attributes["class"] == "frame clear"


def test_an_image_that_the_browser_cannot_open_is_no_link() -> None:
    page = shown(replace(FOX, original=None))
    assert [image.within[-1] for image in page.all("img")] == ["button"]


def test_an_image_without_words_has_an_alt_text_all_the_same() -> None:
    wordless = replace(FOX, alt_text=" ")
    [image] = shown(wordless).all("img")
    assert image.attributes["alt"] == ENGLISH.image
    [image] = shown(replace(wordless, caption="A fox, asleep")).all("img")
    assert image.attributes["alt"] == "A fox, asleep"


def test_an_image_that_is_called_by_one_word_is_announced_as_an_image() -> None:
    page = shown(replace(FOX, alt_text="Popcorn", caption="Popcorn"))
    assert page.all("img")[0].attributes["alt"] == "A picture: Popcorn"
    [caption] = page.all("figcaption")
    assert caption.text == "Popcorn"
    assert caption.attributes["aria-hidden"] == "true"


@pytest.mark.parametrize("similarity", [0.0, -0.2])
def test_similarities_below_zero_have_an_empty_bar(similarity: float) -> None:
    page = shown(replace(FOX, similarity=similarity))
    assert "width:0%" in [part.attributes.get("style") for part in page.all("span")]


def test_nothing_found_says_what_to_try() -> None:
    assert any(ENGLISH.none_hint in part.text for part in shown().all("p"))
    page = shown(question=Question(text="a fox", filter={"year": {"gte": 1990}, "by": "Ann"}))
    assert any("Year ≥ 1990, By = Ann" in part.text for part in page.all("p"))
    assert page.actions("keep")[-1].attributes["href"] == "?q=a+fox"


def test_how_it_was_found_names_model_index_and_times() -> None:
    [how] = [part for part in shown(FOX).all("details") if part.attributes.get("class") == "how"]
    for part in ("ViT-B-32", "Flat", "2.0 ms", "0.4 ms", "3 ms"):
        assert part in how.text


@pytest.mark.parametrize("info", [{}, {"model": None, "index": []}, {"model": {"name": 7}}])
def test_a_service_that_tells_little_about_itself_will_do(info: dict[str, Any]) -> None:
    assert shown(FOX, info=info).all("figure")


def test_before_the_first_search_there_are_examples() -> None:
    page = Page.of(results.start_html(Question(), ENGLISH, ["a guitar", "a <b>"]))
    assert page.actions("ask")[0].attributes["href"] == "?q=a+guitar"
    assert page.actions("ask")[1].text == "a <b>"
    assert page.all("p")[0].text.endswith(ENGLISH.for_example)
    none = Page.of(results.start_html(Question(), ENGLISH))
    assert (none.actions("ask"), none.all("p")[0].text) == ([], ENGLISH.start)
    said = Page.of(results.start_html(Question(negative="a <b>"), ENGLISH))
    assert "a <b>" in said.all("p")[0].text


@pytest.mark.parametrize("problem", get_args(Problem))
def test_each_kind_of_trouble_says_what_to_do(problem: Problem) -> None:
    page = Page.of(results.error_html(ServiceError(problem, "k: not <i>that</i>", 2), ENGLISH))
    [headline], [advice] = page.all("h2"), page.all("p")
    assert len(headline.text.split()) > 3
    assert len(advice.text.split()) > 3
    assert bool(page.actions("again")) == (problem not in ("refused", "locked"))


def test_what_the_service_refuses_is_told_by_field() -> None:
    told = {
        field: results.explain(ServiceError("refused", "query: too long", field=field), ENGLISH)[1]
        for field in ("query", "like", "image", "queries.0.like")
    }
    assert "query: too long" in told["query"]
    assert told["like"] == told["queries.0.like"] == ENGLISH.like_gone
    assert told["image"] == ENGLISH.not_an_image


@pytest.mark.parametrize(
    ("question", "upload", "said"),
    [
        (Question(text="a fox"), None, "2 pictures for “a fox”"),
        (Question(like="x"), None, "2 pictures like “a dog”"),
        (Question(text="snow", like="x"), None, "2 pictures like “a dog” and “snow”"),
        (Question(text="a fox", negative="snow"), None, "2 pictures for “a fox”, not like “snow”"),
        (Question(), "me.png", "2 pictures like your picture “me.png”"),
        (Question(text="a fox", fold=True), None, "2 pictures for “a fox”, look-alikes once"),
        (Question(fold=True), "me.png", "2 pictures like your picture “me.png”, look-alikes once"),
        (
            Question(text="a fox", negative="snow"),
            "me.png",
            "2 pictures like your picture “me.png” and “a fox”, not like “snow”",
        ),
    ],
)
def test_the_summary_says_what_was_asked(question: Question, upload: str | None, said: str) -> None:
    assert summary.summary(question, answered(FOX, FOX), "a dog", upload, ENGLISH) == said


def test_braces_in_a_query_are_only_braces() -> None:
    said = summary.summary(Question(text="{text} {0}"), answered(), "", None, ENGLISH)
    assert said == "No picture found for “{text} {0}”"


def test_what_falls_behind_is_folded_away_and_both_counts_are_told() -> None:
    answer = answered(FOX, replace(WEAK, alt_text="A grey wolf"), WEAK)
    page = shown(*answer.images)
    [shown_list, folded] = page.all("ul")[:2]
    assert shown_list.attributes["role"] == folded.attributes["role"] == "list"
    assert "A red fox" in shown_list.text
    assert "A grey wolf" not in shown_list.text
    assert folded.within == ("details",)
    [fold] = [part for part in page.all("details") if part.attributes.get("class") == "weaker"]
    assert "open" not in fold.attributes
    [label] = [part for part in page.all("summary") if part.within == ("details",)][:1]
    assert label.text == "2 weaker matches"
    loading = [image.attributes["loading"] for image in page.all("img")]
    assert loading == ["eager", "lazy", "lazy"], "what is folded away need not be fetched"

    heading = summary.summary(Question(text="a fox"), answer, "", None, ENGLISH)
    assert heading == "1 picture for “a fox”"
    said = summary.announcement(heading, answer, ENGLISH)
    assert said == "1 picture for “a fox”. 2 weaker matches are folded away."
    said = summary.announcement("1 Bild", answered(FOX, WEAK), GERMAN)
    assert said == "1 Bild. 1 schwächerer Treffer ist eingeklappt."
    assert summary.announcement("1 picture", answered(FOX), ENGLISH) == "1 picture"
    assert not [
        part for part in shown(FOX).all("details") if part.attributes.get("class") == "weaker"
    ]


def test_where_nothing_comes_close_the_nearest_are_to_be_seen() -> None:
    answer = answered(WEAK)
    heading = summary.summary(Question(text="a fox"), answer, "", None, ENGLISH)
    assert heading == summary.announcement(heading, answer, ENGLISH) == "No close match for “a fox”"
    page = shown(WEAK)
    [fold] = [part for part in page.all("details") if part.attributes.get("class") == "weaker"]
    assert "open" in fold.attributes
    assert any(ENGLISH.weaker_hint in part.text for part in page.all("p"))
    assert page.actions("read") == [], "there is nothing to read out but what is folded"


def test_a_notice_is_text() -> None:
    assert results.notice_html("") == ""
    assert Page.of(results.notice_html("a <b>")).all("p")[0].text == "a <b>"


HOSTILE = st.text(
    st.one_of(st.sampled_from("<>\"'&=/ \n`{}"), st.characters(exclude_categories=["Cs"]))
) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        '" onerror="alert(1)',
        "' onclick='alert(1)",
        "</figure></li></ul><h1>",
        "<!--",
        "&lt;b&gt;",
        "]]>",
        "javascript:alert(1)",
    ]
)


@given(
    words=HOSTILE,
    path=HOSTILE,
    name=HOSTILE,
    value=HOSTILE.map(lambda text: "v" + text[:50]),
    query=HOSTILE,
)
def test_nothing_from_outside_is_markup(
    words: str, path: str, name: str, value: str, query: str
) -> None:
    """The elements and attributes are those of a harmless image, the texts come back whole."""
    harmless = replace(FOX, caption="A fox", metadata={"name": "value"})
    hostile = replace(
        FOX,
        id="i" + path,
        image_path=path,
        alt_text="x y" + words,
        caption="y" + words,
        metadata={name: value},
    )
    question = Question(text=query, filter={name: value})
    info = {"model": {"name": "m" + words}, "index": {"kind": "Flat" + words}}
    page = shown(hostile, question=question, info=info)
    plain = shown(harmless, question=Question(text="a fox", filter={"name": "value"}))
    assert page.shape == plain.shape
    [image] = page.all("img")
    assert image.attributes["alt"] == ("x y" + words).strip()
    [like] = page.actions("like")
    assert like.attributes["data-value"] == "i" + path
    assert parse_qs((like.attributes["href"] or "")[1:])["like"] == ["i" + path]
    assert [link.text for link in page.actions("filter")] == [value]


@given(words=HOSTILE)
def test_nothing_from_outside_is_markup_around_the_results(words: str) -> None:
    seed = Page.of(results.seed_html([("http://x/a", words)], words, "Forget", Question(words)))
    assert seed.all("img")[0].attributes["alt"] == words
    error = Page.of(results.error_html(ServiceError("refused", words), ENGLISH))
    assert [part.tag for part in error.elements] == ["div", "h2", "p"]
    heading = Page.of(
        results.answer_html(Answer((), {}, 1), Question(text=words), words, ENGLISH, info={})
    )
    assert heading.all("h2")[0].text == words
