"""Another bundle in the place of the one in use: who is told what, and when one looks."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from serving import reload
from serving.errors import RequestError
from serving.reload import Reloader
from serving.state import State


class Some:
    """As much of a bundle, and of an engine, as is asked for."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.manifest = self
        self.closed = False

    def close(self) -> None:
        self.closed = True


def run(
    work: Callable[[Reloader, State], Awaitable[Any]], open_bundle: Callable[[], Any] | None
) -> tuple[Any, State]:
    async def main() -> tuple[Any, State]:
        state = State()
        first: Any = Some("first")
        state.use(first)

        async def use(bundle: Any) -> None:
            state.use(bundle)

        reloader = Reloader(state, use, open_bundle)
        return await work(reloader, state), state

    return asyncio.run(main())


async def reload_once(reloader: Reloader, state: State) -> Any:
    return await reloader.reload()


def test_another_bundle_is_used_and_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sightline")
    told, state = run(reload_once, lambda: Some("second"))
    assert (told.version, told.changed) == ("second", True)
    assert state.version == "second"
    assert caplog.messages[0].startswith("bundle second in place of first, in 0.")
    assert caplog.messages[0].endswith(" s")


def test_the_same_bundle_is_closed_again() -> None:
    same = Some("first")
    told, state = run(reload_once, lambda: same)
    assert (told.version, told.changed) == ("first", False)
    assert same.closed
    assert state.version == "first"


def test_what_cannot_be_used_is_told_and_the_one_in_use_stays() -> None:
    def damaged() -> None:
        raise SystemExit("error: index.faiss is damaged.")

    with pytest.raises(RequestError) as refused:
        run(reload_once, damaged)
    assert refused.value.status == 409
    assert (
        refused.value.message
        == "not reloaded: error: index.faiss is damaged. The bundle in use stays."
    )
    with pytest.raises(RequestError) as refused:
        run(reload_once, None)
    assert refused.value.status == 409
    assert refused.value.message == "this service was given its bundle: it knows of no other"


def test_who_cannot_wait_reads_in_the_log_why_not(caplog: pytest.LogCaptureFixture) -> None:
    async def soon(reloader: Reloader, state: State) -> int:
        reloader.reload_soon()
        under_way = len(reloader._tasks)
        await asyncio.sleep(0.01)
        assert not reloader._tasks
        return under_way

    assert run(soon, None)[0] == 1
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage() == "this service was given its bundle: it knows of no other"


def test_one_at_a_time() -> None:
    at_once: list[int] = []
    opened = iter(range(9))

    async def several(reloader: Reloader, state: State) -> list[bool]:
        async def slowly(bundle: Any) -> None:
            at_once.append(1)
            assert sum(at_once) == 1
            await asyncio.sleep(0.01)
            at_once.append(-1)

        reloader._use = slowly
        told = await asyncio.gather(*(reloader.reload() for _ in range(3)))
        return [each.changed for each in told]

    assert run(several, lambda: Some(str(next(opened))))[0] == [True] * 3


def test_a_folder_is_looked_at_every_second_and_taken_when_it_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reload._LOOK_EVERY_SECONDS == 1
    monkeypatch.setattr(reload, "_LOOK_EVERY_SECONDS", 0.01)
    opened: list[str] = []
    manifest = tmp_path / "manifest.json"
    manifest.write_text("first")

    def open_bundle() -> Any:
        opened.append(manifest.read_text())
        return Some(opened[-1])

    async def watch(reloader: Reloader, state: State) -> None:
        async def until(count: int) -> None:
            for _ in range(300):
                if len(opened) >= count:
                    break
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)

        reloader.watch(tmp_path)
        await asyncio.sleep(0.1)
        assert opened == []
        # While there is none the one in use stays.
        manifest.unlink()
        await asyncio.sleep(0.1)
        assert opened == []
        manifest.write_text("second")
        await until(1)
        assert opened == ["second"]
        manifest.write_text("thirdly")
        await until(2)
        assert opened == ["second", "thirdly"]
        reloader.close()
        await asyncio.sleep(0)
        manifest.write_text("the fourth")
        await asyncio.sleep(0.1)
        assert opened == ["second", "thirdly"]

    run(watch, open_bundle)


def test_another_file_is_known_by_what_the_system_says_of_it(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        path.write_text("same")
        os.utime(path, ns=(10**18, 10**18))
    first = reload._identity(one)
    assert first is not None
    assert reload._identity(one) == first
    assert reload._identity(other) != first
    os.utime(one, ns=(10**18, 10**18 + 1000))
    assert reload._identity(one) != first
    os.utime(one, ns=(10**18, 10**18))
    one.write_text("longer")
    os.utime(one, ns=(10**18, 10**18))
    assert reload._identity(one) != first
    assert reload._identity(tmp_path / "nowhere") is None
