"""The engine by itself: what it refuses, what it counts, how it ends."""

from __future__ import annotations

import asyncio
import base64
import gc
import re
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import serving.engine
import serving.image_queue
import serving.queues
import serving.search
from models.bundle import Bundle, Scrubbed
from models.database import SlowQueryError
from models.items import ItemStore
from models.manifest import DamagedError
from models.tokenizer import Tokenizer
from models.vector_index import VectorIndex
from serving import plan, planner
from serving.cache import VectorCache
from serving.engine import Engine, _cut
from serving.errors import RequestError
from serving.image_queue import ImageQueue
from serving.metrics import Metrics
from serving.plan import Weighted
from serving.search import Searcher
from serving.settings import Settings
from serving.ticket import Ticket
from serving.timing import Timing
from serving.wire.requests import EncodeRequest, ImageSearchRequest, SearchRequest
from tests.build.images import image_bytes

QUERY = "a red fox in the snow"


@pytest.fixture
def shares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the index were so large that every filter weighs as much as a search."""
    monkeypatch.setattr(VectorIndex, "is_slow_among", lambda *_: True)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def engine(opened: Bundle, metrics: Metrics) -> Iterator[Engine]:
    engine = Engine(opened, Settings(), metrics)
    yield engine
    engine.close()


def refused(work: Callable[[], Awaitable[object]]) -> RequestError:
    async def run() -> RequestError:
        with pytest.raises(RequestError) as error:
            await work()
        return error.value

    return asyncio.run(run())


def counted(metrics: Metrics, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", metrics.exposition().decode(), re.MULTILINE)
    assert found, name
    return float(found[1])


def test_a_text_too_many_begins_another_part() -> None:
    one, two, three = [1], [1, 2], [1, 2, 3]
    assert _cut([one, two, three, one], 3) == [[one, two], [three], [one]]
    assert _cut([three, three], 6) == [[three, three]]
    assert _cut([three, three], 5) == [[three], [three]]
    # One that is too long by itself is a part by itself.
    assert _cut([three, one, one], 2) == [[three], [one, one]]
    assert _cut([one], 0) == [[one]]


class Clock:
    """Goes on only while something is done that is said to take its time."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self._patch = patch
        clock = SimpleNamespace(perf_counter=lambda: self.now, monotonic=time.monotonic)
        for module in (serving.engine, serving.search, planner):
            patch.setattr(module, "time", clock)

    def takes(self, seconds: float, owner: type, name: str) -> None:
        work = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            self.now += seconds
            return work(*arguments, **options)

        self._patch.setattr(owner, name, timed)


def timed_search(engine: Engine, patch: pytest.MonkeyPatch, encoder: type, encode: str) -> Timing:
    """What is told of a search with a filter whose steps take a power of two each."""
    clock = Clock(patch)
    clock.takes(1, ItemStore, "matching")
    clock.takes(2, Tokenizer, "encode")
    clock.takes(4, Searcher, "search")
    clock.takes(8, encoder, encode)
    clock.takes(16, Searcher, "_nearest")
    clock.takes(32, ItemStore, "get")
    request = SearchRequest(query=QUERY, filter={"kind": "odd"})
    return asyncio.run(engine.search(request)).timing


def test_each_step_is_told_by_the_time_it_takes(
    engine: Engine, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = timed_search(engine, monkeypatch, Searcher, "vectors")
    assert told == Timing(filter=1, tokenize=2, queue=4, encode=8, search=16, lookup=32)
    assert counted(metrics, "sightline_encode_seconds_sum") == 8
    assert counted(metrics, "sightline_search_seconds_sum") == 16


@pytest.mark.usefixtures("shares_nothing")
def test_so_it_is_where_the_search_is_a_call_of_its_own(
    engine: Engine, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = timed_search(engine, monkeypatch, VectorCache, "vectors")
    # What encodes is asked twice, but the second time there is nothing left to encode.
    assert told == Timing(filter=1, tokenize=2, queue=8, encode=16, search=16, lookup=32)
    assert counted(metrics, "sightline_encode_seconds_sum") == 16
    assert counted(metrics, "sightline_search_seconds_count") == 1


@pytest.mark.usefixtures("shares_nothing")
@pytest.mark.parametrize("asked", [{"query": QUERY}, {"query": QUERY, "negative": "a house"}])
@pytest.mark.parametrize("like", [False, True])
def test_what_is_found_is_the_same(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], like: bool
) -> None:
    if like:
        [item] = engine.bundle.items.get([7])
        asked = {**asked, "like": item.id}
    request = SearchRequest(**asked, filter={"kind": "odd"}, k=9)
    found = asyncio.run(engine.search(request))
    monkeypatch.undo()
    shared = asyncio.run(engine.search(request))
    assert [hit.item for hit in found.hits] == [hit.item for hit in shared.hits]
    assert [hit.relevant for hit in found.hits] == [hit.relevant for hit in shared.hits]
    for one, other in zip(found.hits, shared.hits, strict=True):
        assert one.similarity == pytest.approx(other.similarity, abs=1e-6)


@pytest.mark.usefixtures("shares_nothing")
def test_a_text_that_matches_nothing_does_so_where_the_search_is_a_call_of_its_own(
    opened: Bundle, metrics: Metrics
) -> None:
    nothing = replace(opened, manifest=opened.manifest.model_copy(update={"floor": 1.0}))
    engine = Engine(nothing, Settings(), metrics)
    found = asyncio.run(engine.search(SearchRequest(query=QUERY, filter={"kind": "odd"})))
    engine.close()
    assert [hit.relevant for hit in found.hits] == [False] * len(found.hits)
    assert found.hits


@pytest.mark.usefixtures("shares_nothing")
def test_searches_that_share_nothing_give_way_to_those_that_do(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One runs until all of them have come, and the first of them until all others have."""
    gates = {1: threading.Event(), 3: threading.Event()}
    batches: list[list[int]] = []
    search = Searcher.search

    def watched(self: Searcher, plans: Any, sought: Any) -> Any:
        batches.append([plan.k for plan in plans])
        if batches[-1] and batches[-1][0] in gates:
            gates[batches[-1][0]].wait(10)
        return search(self, plans, sought)

    monkeypatch.setattr(Searcher, "search", watched)
    # It takes as long as the gates are shut.
    monkeypatch.setattr(serving.queues, "_OTHERS_SECONDS", 100)

    def ask(k: int, count: int, **asked: Any) -> list[asyncio.Future[Any]]:
        requests = [SearchRequest(query=f"{k} {n}", k=k, **asked) for n in range(count)]
        return [asyncio.ensure_future(engine.search(request)) for request in requests]

    async def until(there: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not there():
                await asyncio.sleep(0.001)

    async def run() -> None:
        asked = ask(3, 1)
        await until(lambda: bool(batches))
        asked += ask(1, 20, filter={"kind": "odd"})
        await until(lambda: engine._batches._under_way == 21)
        gates[3].set()
        await until(lambda: any(1 in batch for batch in batches))
        asked += ask(2, 20)
        await until(lambda: engine._batches._under_way == 40)
        gates[1].set()
        await asyncio.gather(*asked)

    asyncio.run(run())
    found = [batch for batch in batches if batch]
    assert sorted(found.pop(2)) == [1] + [2] * 20
    assert found == [[3], [1] * 4, [1] * 4, [1] * 4, [1] * 4, [1] * 3]


@pytest.mark.usefixtures("shares_nothing")
def test_and_too_many_of_them_are_refused(opened: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    search = Searcher.search

    def slowly(self: Searcher, *asked: Any) -> Any:
        time.sleep(0.1)
        return search(self, *asked)

    monkeypatch.setattr(Searcher, "search", slowly)
    engine = Engine(opened, Settings(max_queue=4), Metrics())
    request = SearchRequest(query=QUERY, filter={"kind": "odd"})

    async def run() -> list[Any]:
        searches = (engine.search(request) for _ in range(8))
        return await asyncio.gather(*searches, return_exceptions=True)

    answers = asyncio.run(run())
    assert [answer.status for answer in answers if isinstance(answer, RequestError)] == [429] * 4
    assert engine._batches._under_way == 0
    engine.close()


def test_to_encode_an_image_is_part_of_encoding(
    engine: Engine, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    clock.takes(1, ImageQueue, "_encode")
    clock.takes(2, Searcher, "vectors")
    found = asyncio.run(engine.search_by_image(lambda: image_bytes(1)))
    assert found.timing == Timing(encode=3)
    label = '{method_name="image"}'
    assert counted(metrics, f"bentoml_service_adaptive_batch_size_sum{label}") == 1
    assert len(found.hits) == 5
    assert (
        len(
            asyncio.run(
                engine.search_by_image(lambda: image_bytes(1), ImageSearchRequest(k=7))
            ).hits
        )
        == 7
    )


def test_an_image_that_took_too_long_is_not_encoded(engine: Engine) -> None:
    async def late() -> object:
        now = asyncio.get_running_loop().time()
        return await engine.search_by_image(
            lambda: image_bytes(1), ticket=Ticket(deadline=now + 0.02)
        )

    decode = serving.image_queue.decode

    def slowly(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.05)
        return decode(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving.image_queue, "decode", slowly)
        patch.setattr(type(engine.bundle.image_encoder), "encode", lambda *_: pytest.fail("late"))
        assert refused(late).status == 504


def test_without_its_image_encoder_a_service_says_so(engine: Engine) -> None:
    engine = Engine(replace(engine.bundle, image_encoder=None), Settings(), Metrics())
    error = refused(lambda: engine.encode(EncodeRequest(images=["eA=="])))
    assert error.status == 501
    error = refused(lambda: engine.search_by_image(lambda: image_bytes(1)))
    assert error.status == 501
    assert error.message == "this service was deployed without its image encoder: search by text"
    engine.close()


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"x", 400, "image: not an image: no image format that is known"),
        (image_bytes(1), 413, "image: too large: "),
    ],
)
def test_an_image_that_cannot_be_had_is_the_sender_s(
    opened: Bundle, content: bytes, status: int, message: str
) -> None:
    engine = Engine(opened, Settings(max_pixels=10), Metrics())
    error = refused(lambda: engine.search_by_image(lambda: content))
    assert (error.status, error.field) == (status, "image")
    assert error.message.startswith(message)
    engine.close()


def test_warming_up_asks_nothing_that_is_remembered(engine: Engine, metrics: Metrics) -> None:
    asyncio.run(engine.warm_up())
    label = '{method_name="search"}'
    assert counted(metrics, f"bentoml_service_adaptive_batch_size_sum{label}") == 20
    assert counted(metrics, "sightline_search_seconds_count") == 10
    assert counted(metrics, "sightline_cache_misses_total") == 0


def test_a_text_and_its_own_opposite_find_something(engine: Engine) -> None:
    """Half of it is left: the direction is the text's own."""
    found = asyncio.run(engine.search(SearchRequest(query=QUERY, negative=QUERY)))
    alone = asyncio.run(engine.search(SearchRequest(query=QUERY)))
    assert [hit.item.id for hit in found.hits] == [hit.item.id for hit in alone.hits]
    vectors = engine._searcher.vectors(
        [plan.Plan(k=1, sought=(Weighted(np.zeros(engine.bundle.index.dim)),))]
    )
    assert vectors.tolist() == [[0.0] * engine.bundle.index.dim]


def test_long_texts_are_encoded_in_parts_that_let_others_in(
    engine: Engine, metrics: Metrics
) -> None:
    texts = [f"{QUERY} {number}" for number in range(100)]
    vectors = asyncio.run(engine.encode(EncodeRequest(texts=texts)))
    assert vectors.shape == (100, engine.bundle.index.dim)
    label = '{method_name="search"}'
    tokens = sum(map(len, engine.planner.texts(texts)))
    parts = counted(metrics, f"bentoml_service_adaptive_batch_size_sum{label}")
    assert parts >= tokens / engine._batches.part > 1


def test_images_are_encoded_after_the_texts_as_if_searched_by(engine: Engine) -> None:
    sent = [base64.b64encode(image_bytes(seed)).decode() for seed in (1, 2)]
    vectors = asyncio.run(engine.encode(EncodeRequest(texts=[QUERY], images=sent)))
    alone = [asyncio.run(engine.encode(EncodeRequest(images=[one]))) for one in sent]
    texts = asyncio.run(engine.encode(EncodeRequest(texts=[QUERY])))
    assert vectors.tolist() == np.concatenate([texts, *alone]).tolist()
    by_vector = asyncio.run(engine.search_by_vector(vectors[1] * 3, 4))
    by_image = asyncio.run(engine.search_by_image(lambda: image_bytes(1), ImageSearchRequest(k=4)))
    assert [hit.item for hit in by_vector.hits] == [hit.item for hit in by_image.hits]
    assert by_vector.hits[0].similarity == pytest.approx(1)


def test_images_under_way_are_as_many_as_uploads_may_be(opened: Bundle) -> None:
    engine = Engine(opened, Settings(max_image_queue=4), Metrics())
    sent = base64.b64encode(image_bytes(1)).decode()

    async def crowd(*sizes: int) -> list[Any]:
        requests = [EncodeRequest(images=[sent] * size) for size in sizes]
        asked = [engine.encode(request) for request in requests]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return [getattr(one, "status", None) or len(one) for one in answers]

    assert asyncio.run(crowd(1, 3, 1)) == [1, 3, 429]
    assert asyncio.run(crowd(1, 4)) == [1, 429]
    # Who comes alone is let in with as many as one request may have.
    assert asyncio.run(crowd(9)) == [9]
    engine.close()


def test_an_image_that_is_none_harms_no_neighbour(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = base64.b64encode(image_bytes(1)).decode(), "eA=="

    async def together() -> list[Any]:
        return await asyncio.gather(
            engine.search_by_image(lambda: image_bytes(1)),
            engine.encode(EncodeRequest(images=[bad, good])),
            engine.encode(EncodeRequest(images=[good])),
            return_exceptions=True,
        )

    found, refusal, vectors = asyncio.run(together())
    assert len(found.hits) == 5
    assert (refusal.status, refusal.field) == (400, "images.0")
    assert vectors.shape == (1, engine.bundle.index.dim)
    assert caplog.messages == []


def test_once_closed_it_answers_nothing_and_leaves_no_thread(opened: Bundle) -> None:
    engine = Engine(opened, Settings(), Metrics())
    asyncio.run(engine.search(SearchRequest(query=QUERY, filter={"kind": "odd"})))
    asyncio.run(engine.search_by_image(lambda: image_bytes(1)))
    threads = [
        each
        for pool in (engine._batch_thread, engine._images._thread, engine.planner._threads)
        for each in pool._threads
    ]
    assert len(threads) == 3
    engine.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert refused(lambda: engine.search(SearchRequest(query=QUERY))).status == 503
    assert refused(lambda: engine.search_by_image(lambda: image_bytes(1))).status == 503
    assert refused(lambda: engine.encode(EncodeRequest(texts=["x"]))).status == 503


@pytest.mark.parametrize("closes", [False, True])
def test_a_bundle_that_nobody_else_uses_is_closed_after_the_last_who_reads_it(
    opened: Bundle, closes: bool
) -> None:
    done: list[str] = []
    going = threading.Event()

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(opened, name)

        def scrub(self) -> Iterator[Scrubbed]:
            yield Scrubbed(1, 2)
            going.wait(10)
            done.append("scrubbed")
            yield Scrubbed(2, 2)
            pytest.fail("nobody wants to know any more")

        def close(self) -> None:
            done.append("closed")

    watched: Any = Watched()
    engine = Engine(watched, Settings(), Metrics(), closes_bundle=closes)
    engine.scrub(lambda error: pytest.fail(str(error)))
    time.sleep(0.05)
    engine.close()
    going.set()
    for _ in range(200):
        if len(done) > closes:
            break
        time.sleep(0.01)
    assert done == (["scrubbed", "closed"] if closes else ["scrubbed"])


def test_nothing_keeps_a_bundle_that_is_closed(opened: Bundle) -> None:
    """Not even until the collector comes by itself."""

    forgotten = threading.Event()

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(opened, name)

        def close(self) -> None:
            forgotten.wait(10)

    watched: Any = Watched()
    engine = Engine(watched, Settings(), Metrics(), closes_bundle=True)
    asyncio.run(engine.search(SearchRequest(query=QUERY)))
    kept = weakref.ref(watched)
    gc.disable()
    try:
        engine.close()
        del engine, watched
        forgotten.set()
        for _ in range(500):
            if kept() is None:
                break
            time.sleep(0.01)
        assert kept() is None
    finally:
        gc.enable()


def test_damage_that_is_found_is_told_to_who_asked(opened: Bundle) -> None:
    class Damaged:
        def __getattr__(self, name: str) -> Any:
            return getattr(opened, name)

        def scrub(self) -> Iterator[Scrubbed]:
            yield Scrubbed(1, 2)
            raise DamagedError("items.sqlite is damaged")

    damaged: Any = Damaged()
    engine = Engine(damaged, Settings(), Metrics())
    told: list[str] = []
    engine.scrub(lambda error: told.append(str(error)))
    assert engine._scrubber is not None
    assert engine._scrubber.daemon
    engine._scrubber.join(10)
    assert told == ["items.sqlite is damaged"]
    engine.close()


def test_looking_up_is_refused_where_256_are_at_it(engine: Engine) -> None:
    planner = engine.planner
    assert planner._threads._max_workers == 4

    async def run() -> None:
        gate = threading.Event()
        waiting = [asyncio.ensure_future(planner.look_up(gate.wait, 10)) for _ in range(256)]
        await asyncio.sleep(0.01)
        with pytest.raises(RequestError) as error:
            await planner.look_up(lambda: None)
        assert error.value.status == 429
        gate.set()
        assert await asyncio.gather(*waiting) == [True] * 256
        assert await planner.look_up(lambda a, b: a - b, 5, b=3) == 2
        assert planner._under_way == 0

    asyncio.run(run())


def test_a_filter_that_takes_too_long_is_told(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(self: ItemStore, conditions: Any) -> None:
        raise SlowQueryError("it takes too long")

    monkeypatch.setattr(ItemStore, "matching", slow)
    error = refused(lambda: engine.search(SearchRequest(query=QUERY, filter={"kind": "odd"})))
    assert (error.status, error.field) == (503, "filter")
    assert error.message == "filter: it takes too long: ask for less"
    assert error.headers == {"Retry-After": "1"}


def test_a_plan_costs_what_there_is_to_encode() -> None:
    assert plan.Plan(k=1).cost == 1
    two, three = Weighted([1, 2]), Weighted([1, 2, 3], -0.5)
    assert plan.Plan(k=1, sought=(two,)).cost == 2
    assert plan.Plan(k=1, sought=(two, three)).cost == 5
    assert plan.Plan(k=1, sought=(three, Weighted(np.zeros(4)))).cost == 3


@pytest.mark.parametrize("last", ["search", "_encode", "look-up"])
def test_closing_waits_for_nothing_and_the_bundle_for_everything(
    opened: Bundle, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """A batch, an image and a look-up that are under way read the bundle to their end."""
    names = sorted(("search", "_encode", "look-up"), key=lambda name: name == last)
    gates = {name: threading.Event() for name in names}
    begun: list[str] = []
    closed = threading.Event()

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(opened, name)

        def close(self) -> None:
            closed.set()

    def wait(name: str) -> None:
        begun.append(name)
        gates[name].wait(10)

    for owner, name in ((Searcher, "search"), (ImageQueue, "_encode")):
        work = getattr(owner, name)

        def waiting(self: Any, *asked: Any, name: str = name, work: Any = work) -> Any:
            wait(name)
            return work(self, *asked)

        monkeypatch.setattr(owner, name, waiting)
    watched: Any = Watched()
    engine = Engine(watched, Settings(), Metrics(), closes_bundle=True)

    async def run() -> None:
        asked = [
            engine.search(SearchRequest(query=QUERY)),
            engine.search_by_image(lambda: image_bytes(1)),
            engine.planner.look_up(wait, "look-up"),
        ]
        tasks = [asyncio.ensure_future(each) for each in asked]
        for _ in range(300):
            if len(begun) == 3:
                break
            await asyncio.sleep(0.01)
        closing = threading.Thread(target=engine.close, daemon=True)
        closing.start()
        closing.join(5)
        assert not closing.is_alive()
        for gate in gates.values():
            assert not closed.wait(0.05)
            gate.set()
        assert closed.wait(5)
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())


def test_what_is_sought_has_length_one_in_any_company(engine: Engine) -> None:
    [one, other] = engine.planner.texts([QUERY, "a house by the sea"])
    known = engine.bundle.index.reconstruct(3)
    plans = [
        plan.Plan(k=1, sought=(Weighted(one),)),
        plan.Plan(k=1, sought=(Weighted(one), Weighted(other, -0.5))),
        plan.Plan(k=1, sought=(Weighted(known),)),
        plan.Plan(k=1, sought=(Weighted(other), Weighted(known))),
    ]
    together = engine._searcher.vectors(plans)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    for row, each in zip(together, plans, strict=True):
        np.testing.assert_allclose(engine._searcher.vectors([each])[0], row, atol=1e-6)


def test_an_image_that_is_not_there_is_told(engine: Engine) -> None:
    error = refused(lambda: engine.search(SearchRequest(like="nosuchid")))
    assert (error.status, error.field) == (404, "like")
    assert error.message == "like: no image has the id 'nosuchid'"


def test_what_waits_to_be_looked_up_is_dropped_at_the_end(engine: Engine) -> None:
    gate = threading.Event()
    looked: list[int] = []

    async def run() -> list[object]:
        under_way = [asyncio.ensure_future(engine.planner.look_up(gate.wait, 10)) for _ in "1234"]
        await asyncio.sleep(0.02)
        waiting = asyncio.ensure_future(engine.planner.look_up(looked.append, 1))
        await asyncio.sleep(0.02)
        engine.close()
        gate.set()
        return await asyncio.gather(*under_way, waiting, return_exceptions=True)

    *done, dropped = asyncio.run(run())
    assert done == [True] * 4
    assert isinstance(dropped, asyncio.CancelledError)
    assert looked == []
