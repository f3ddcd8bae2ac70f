"""Calls that share a run, and what each may and may not do to the others."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.batcher import Batcher
from serving.errors import RequestError
from serving.metrics import Metrics
from serving.queues import ORDINARY_COST
from serving.ticket import Ticket


class Work:
    """Doubles numbers; odd ones fail; waits at a gate, so that others can gather.

    ``shuts_after``: the call, answered by itself, behind which the gate shuts again.
    """

    def __init__(self, shuts_after: int | None = None) -> None:
        self.shuts_after = shuts_after
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]

    def answer(self, calls: Sequence[int]) -> list[int]:
        self.gate.wait(10)
        self.batches.append(list(calls))
        for call in calls:
            if call % 2:
                raise ValueError(str(call))
        if calls == [self.shuts_after]:
            self.gate.clear()
        return [2 * call for call in calls]


def batcher(work: Work, max_queue: int = 1000, max_batch_size: int = 16) -> Batcher[int, int]:
    executor = ThreadPoolExecutor(1)
    return Batcher(
        "test",
        work.answer,
        executor,
        Metrics(),
        max_batch_size=max_batch_size,
        max_queue=max_queue,
    )


async def behind_a_gate(
    work: Work, calls: Batcher[int, int], crowd: Callable[[], Sequence[Awaitable[object]]]
) -> list[object]:
    """What a crowd is answered that has gathered while another call ran."""
    work.gate.clear()
    first = asyncio.ensure_future(calls(2))
    await asyncio.sleep(0.02)
    tasks = [asyncio.ensure_future(one) for one in crowd()]
    await asyncio.sleep(0.02)
    work.gate.set()
    answers: list[object] = await asyncio.gather(*tasks, return_exceptions=True)
    await first
    return answers


def test_one_that_fails_harms_no_other() -> None:
    async def run() -> list[int | BaseException]:
        calls = batcher(Work())
        return await asyncio.gather(*(calls(n) for n in range(40)), return_exceptions=True)

    for number, answer in enumerate(asyncio.run(run())):
        if number % 2:
            assert isinstance(answer, ValueError)
            assert str(answer) == str(number)
        else:
            assert answer == 2 * number


def test_what_arrives_at_once_shares_a_run_and_what_arrives_meanwhile_the_next() -> None:
    work = Work()

    async def run() -> None:
        calls = batcher(work)
        await asyncio.gather(*(calls(4) for _ in range(3)))
        await behind_a_gate(work, calls, lambda: [calls(4) for _ in range(20)])

    asyncio.run(run())
    assert work.sizes == [3, 1, 16, 4]


def test_a_batch_costs_no_more_than_ordinary_calls_would() -> None:
    work = Work()

    async def run() -> None:
        calls = batcher(work)
        await behind_a_gate(work, calls, lambda: [calls(4, 4 * ORDINARY_COST) for _ in range(6)])

    asyncio.run(run())
    assert work.sizes == [1, 4, 2]


def test_one_that_costs_more_than_a_batch_may_is_answered_alone() -> None:
    work = Work()

    async def run() -> list[object]:
        calls = batcher(work)
        return await behind_a_gate(
            work, calls, lambda: [calls(4, 10_000), calls(6), calls(8, 10_000)]
        )

    assert asyncio.run(run()) == [8, 12, 16]
    assert work.batches[1:] == [[4], [6], [8]]


def test_too_many_are_refused_and_the_others_answered() -> None:
    work = Work()

    async def run() -> list[object]:
        calls = batcher(work, max_queue=5)
        return await behind_a_gate(work, calls, lambda: [calls(2) for _ in range(7)])

    answers = asyncio.run(run())
    refused = [answer for answer in answers if isinstance(answer, RequestError)]
    assert [error.status for error in refused] == [429] * 3
    assert answers.count(4) == 4


def test_an_urgent_call_does_not_wait_for_all_parts_of_a_long_one() -> None:
    work = Work()

    async def run() -> None:
        calls = batcher(work)
        parts = [(100 + 2 * number, calls.part) for number in range(40)]
        await behind_a_gate(
            work, calls, lambda: [calls.in_parts(parts), *(calls(4) for _ in range(3))]
        )

    asyncio.run(run())
    # Behind the gate's own call: the urgent ones all, and what fits beside them.
    assert work.batches[1][:3] == [4, 4, 4]
    assert len(work.batches[1]) > 3
    assert all(len(batch) == 4 for batch in work.batches[2:-1])


def test_a_long_call_goes_on_beside_any_number_of_urgent_ones() -> None:
    work = Work()

    async def run() -> None:
        calls = batcher(work)
        parts = [(100, calls.part)] * 9
        await behind_a_gate(
            work,
            calls,
            lambda: [*(calls(4, ORDINARY_COST) for _ in range(100)), calls.in_parts(parts)],
        )

    asyncio.run(run())
    assert [batch.count(100) for batch in work.batches[1:4]] == [3, 3, 3]


def test_long_calls_are_refused_by_what_they_cost_and_one_is_always_let_in() -> None:
    work = Work()

    async def run() -> list[object]:
        calls = batcher(work, max_queue=1)
        huge = [(2, 10_000)]
        return await behind_a_gate(work, calls, lambda: [let_in(calls, huge), let_in(calls, huge)])

    first, second = asyncio.run(run())
    assert first == [4]
    assert isinstance(second, RequestError)
    assert second.status == 429


def test_who_has_left_and_who_is_late_are_not_run() -> None:
    work = Work()

    async def run() -> list[object]:
        calls = batcher(work)
        now = asyncio.get_running_loop().time()

        def crowd() -> list[Awaitable[object]]:
            return [
                calls(10, 1, Ticket(left=lambda: True)),
                calls(12, 1, Ticket(deadline=now - 1)),
                calls(14, 1, Ticket(deadline=now + 60, left=lambda: False)),
                asyncio.wait_for(calls(16), 0.01),
            ]

        return await behind_a_gate(work, calls, crowd)

    left, late, there, gone = asyncio.run(run())
    assert isinstance(left, RequestError)
    assert left.status == 499
    assert isinstance(late, RequestError)
    assert late.status == 504
    assert there == 28
    assert isinstance(gone, TimeoutError)
    assert work.batches[1:] == [[14]]


def test_a_long_call_that_is_given_up_leaves_nothing_behind() -> None:
    work = Work()

    async def run() -> list[object]:
        calls = batcher(work)
        parts = [(2, calls.part)] * 50
        return await behind_a_gate(
            work, calls, lambda: [asyncio.wait_for(calls.in_parts(parts), 0.01), calls(4)]
        )

    gone, other = asyncio.run(run())
    assert isinstance(gone, TimeoutError)
    assert other == 8
    assert work.batches[1:] == [[4]]


def test_closing_refuses_those_who_wait_and_answers_who_runs() -> None:
    work = Work()

    async def run() -> list[object]:
        calls = batcher(work)
        work.gate.clear()
        running = asyncio.ensure_future(calls(2))
        await asyncio.sleep(0.02)
        waiting = asyncio.ensure_future(calls(4))
        await asyncio.sleep(0.02)
        calls.close()
        work.gate.set()
        return await asyncio.gather(running, waiting, calls(6), return_exceptions=True)

    answered, waiting, later = asyncio.run(run())
    assert answered == 4
    for refused in (waiting, later):
        assert isinstance(refused, RequestError)
        assert refused.status == 503


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 300)), max_size=60),
    st.integers(1, 16),
)
def test_everybody_gets_the_answer_to_his_own_call(
    asked: list[tuple[int, int]], max_batch_size: int
) -> None:
    async def run() -> list[int | BaseException]:
        calls = batcher(Work(), max_batch_size=max_batch_size)
        return await asyncio.gather(
            *(calls(2 * call, cost) for call, cost in asked), return_exceptions=True
        )

    assert asyncio.run(run()) == [4 * call for call, _ in asked]


@pytest.mark.parametrize("crowd", [1, 64])
def test_nobody_is_held_back(crowd: int) -> None:
    """After a crowd as before: a lone call runs in the next turn of the loop."""
    work = Work()

    async def run() -> None:
        calls = batcher(work)
        await asyncio.gather(*(calls(2) for _ in range(crowd)))
        work.batches.clear()
        lone = asyncio.ensure_future(calls(4))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert calls.idle is False
        await lone

    asyncio.run(run())
    assert work.batches == [[4]]


def counted(metrics: Metrics, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", metrics.exposition().decode(), re.MULTILINE)
    assert found, name
    return float(found[1])


async def let_in(calls: Batcher[int, int], parts: list[tuple[int, int]]) -> list[int]:
    with calls.room(sum(cost for _, cost in parts)):
        return await calls.in_parts(parts)


def measured(work: Work, **options: int) -> tuple[Batcher[int, int], Metrics]:
    metrics = Metrics()
    sizes = {"max_batch_size": 16, "max_queue": 1000} | options
    return Batcher("test", work.answer, ThreadPoolExecutor(1), metrics, **sizes), metrics


def test_batches_queue_and_dropped_are_counted() -> None:
    work = Work()

    async def run() -> Metrics:
        calls, metrics = measured(work)
        gone = Ticket(left=lambda: True)
        await behind_a_gate(
            work, calls, lambda: [calls(4), calls(6), calls(8, 1, gone), calls.in_parts([(2, 1)])]
        )
        return metrics

    metrics = asyncio.run(run())
    label = '{method_name="test"}'
    assert counted(metrics, f"bentoml_service_adaptive_batch_size_sum{label}") == 4
    assert counted(metrics, f"bentoml_service_adaptive_batch_size_count{label}") == 2
    assert counted(metrics, f"sightline_dropped_total{label}") == 1
    # Once the last run has ended nothing waits.
    assert counted(metrics, f"sightline_queue{label}") == 0


def test_what_waits_is_told_when_a_run_begins() -> None:
    work = Work()

    async def run() -> float:
        calls, metrics = measured(work)
        waiting = [asyncio.ensure_future(each) for each in (calls(2), calls(4))]
        waiting.append(asyncio.ensure_future(calls.in_parts([(2, 1), (4, 1)])))
        work.gate.clear()
        await asyncio.sleep(0.02)
        told = counted(metrics, 'sightline_queue{method_name="test"}')
        work.gate.set()
        await asyncio.gather(*waiting)
        return told

    assert asyncio.run(run()) == 4


@pytest.mark.parametrize(("cost", "refused"), [(5 * 64 - 100, False), (5 * 64 - 99, True)])
def test_long_calls_may_cost_four_times_what_the_urgent_may(cost: int, refused: bool) -> None:
    work = Work()

    async def run() -> object:
        calls, _ = measured(work, max_queue=5)
        _, answer = await behind_a_gate(
            work, calls, lambda: [let_in(calls, [(2, 100)]), let_in(calls, [(4, cost)])]
        )
        # What is done counts no more.
        assert await let_in(calls, [(6, 5 * 64)]) == [12]
        return answer

    assert isinstance(asyncio.run(run()), RequestError) == refused


@pytest.mark.parametrize(("urgent", "others"), [(0, 4), (1, 1), (4, 1), (8, 2), (12, 3), (40, 3)])
def test_beside_few_urgent_calls_run_few_parts_and_beside_many_a_quarter(
    urgent: int, others: int
) -> None:
    work = Work()

    async def run() -> None:
        calls, _ = measured(work)
        parts = [(100, calls.part)] * 20
        await behind_a_gate(
            work,
            calls,
            lambda: [*(calls(4, ORDINARY_COST) for _ in range(urgent)), calls.in_parts(parts)],
        )

    asyncio.run(run())
    assert work.batches[1].count(100) == others
    assert work.batches[1].count(4) == min(urgent, 12)


def test_a_batch_of_parts_takes_no_longer_than_an_urgent_call_may_wait() -> None:
    """A part takes 30 ms at first, and then nothing."""
    work = Work()
    seconds = iter([0.12, 0.03, 0.06])

    async def run() -> None:
        calls = batcher(work)

        def slowly(numbers: Sequence[int]) -> list[int]:
            time.sleep(next(seconds, 0))
            return work.answer(numbers)

        calls._answer = slowly
        await calls.in_parts([(2, calls.part)] * 80)

    asyncio.run(run())
    # Nothing is known of the first; one more would be 60 ms; then it is believed little by little.
    assert work.sizes[:5] == [4, 1, 1, 1, 1]
    assert max(work.sizes[5:]) == 4
    assert sum(work.sizes) == 80


def test_a_second_call_follows_from_the_first_and_gives_way() -> None:
    work = Work()

    async def run() -> list[object]:
        calls = batcher(work, max_queue=2)
        two = [calls.in_two(number, 1, lambda first: first + 100) for number in (2, 4)]
        answers = await asyncio.gather(*two, calls(6), return_exceptions=True)
        # Nobody has a place any more.
        assert await calls(6) == 12
        [failed] = await asyncio.gather(
            calls.in_two(2, 1, lambda first: first + 1), return_exceptions=True
        )
        assert str(failed) == "5"
        assert await calls(6) == 12
        return answers

    first, second, refused = asyncio.run(run())
    assert (first, second) == ((4, 208), (8, 216))
    assert isinstance(refused, RequestError)
    assert refused.status == 429
    assert work.batches[:2] == [[2, 4], [104, 108]]


def test_it_is_full_when_the_next_would_be_refused() -> None:
    work = Work()

    async def run() -> None:
        calls, _ = measured(work, max_queue=2)
        asked = [asyncio.ensure_future(calls(2))]
        await asyncio.sleep(0)
        assert not calls.full
        asked.append(asyncio.ensure_future(calls(4)))
        await asyncio.sleep(0)
        assert calls.full
        await asyncio.gather(*asked)
        assert not calls.full

    asyncio.run(run())


def test_a_batcher_is_idle_when_nothing_waits_and_nothing_runs() -> None:
    work = Work()

    async def run() -> None:
        calls, _ = measured(work)
        assert calls.idle
        for call in (calls(2), calls.in_parts([(2, 1)])):
            work.gate.clear()
            waiting = asyncio.ensure_future(call)
            await asyncio.sleep(0)
            assert not calls.idle
            await asyncio.sleep(0.02)
            assert not calls.idle
            work.gate.set()
            await waiting
            assert calls.idle

    asyncio.run(run())


def test_a_batch_that_fails_is_logged_and_one_call_that_fails_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run(*numbers: int) -> None:
        calls, _ = measured(Work())
        await asyncio.gather(*(calls(number) for number in numbers), return_exceptions=True)

    asyncio.run(run(1))
    assert caplog.messages == []
    asyncio.run(run(1, 2, 4))
    [record] = caplog.records
    assert record.getMessage() == "a batch of 3 failed: each of it is answered by itself"
    assert record.exc_info


def test_an_answer_may_be_an_exception_and_harms_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def answer(numbers: Sequence[int]) -> list[int | Exception]:
        return [ValueError("odd") if number % 2 else number for number in numbers]

    async def run() -> list[object]:
        calls: Batcher[int, int] = Batcher(
            "test", answer, ThreadPoolExecutor(1), Metrics(), max_batch_size=16, max_queue=10
        )
        asked = (calls(number) for number in (2, 1, 4))
        return await asyncio.gather(*asked, return_exceptions=True)

    first, refused, last = asyncio.run(run())
    assert (first, str(refused), last) == (2, "odd", 4)
    assert caplog.messages == []


def test_a_run_that_is_cancelled_is_told_as_a_stop() -> None:
    work = Work()

    async def run() -> list[object]:
        executor = ThreadPoolExecutor(1)
        calls: Batcher[int, int] = Batcher(
            "test", work.answer, executor, Metrics(), max_batch_size=16, max_queue=10
        )
        work.gate.clear()
        executor.submit(work.gate.wait, 10)
        waiting = [asyncio.ensure_future(calls(2)), asyncio.ensure_future(calls(4))]
        await asyncio.sleep(0.02)
        executor.shutdown(wait=False, cancel_futures=True)
        work.gate.set()
        return await asyncio.gather(*waiting, return_exceptions=True)

    for refused in asyncio.run(run()):
        assert isinstance(refused, RequestError)
        assert refused.status == 503


def test_of_a_long_call_of_which_a_part_fails_the_rest_is_not_run() -> None:
    # Four of them share a run.  The second has begun when the first has failed, and is held until
    # the caller knows: how many runs fit in between is the machine's affair.
    work = Work(shuts_after=24)

    async def run() -> list[object]:
        calls = batcher(work)
        parts = [(1, calls.part), *((2 * number, calls.part) for number in range(10, 30))]
        answers = await behind_a_gate(work, calls, lambda: [calls.in_parts(parts)])
        work.gate.set()
        assert await calls(4) == 8
        return answers

    [failed] = asyncio.run(run())
    assert isinstance(failed, ValueError)
    ran = {call for batch in work.batches for call in batch}
    assert {20, 22, 24} <= ran
    assert not ran & {2 * number for number in range(17, 30)}
