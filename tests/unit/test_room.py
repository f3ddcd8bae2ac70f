"""Images that are decoded at the same time fit into memory."""

from __future__ import annotations

import threading

import pytest

from build.room import Room
from models.images import ImageError


def test_who_needs_more_than_is_free_waits_for_the_others() -> None:
    room = Room(pixels=100)
    order = []
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with room.place(0) as admit:
            admit(80)
            inside.set()
            go_on.wait(5)
            order.append("first")

    def second() -> None:
        with room.place(0) as admit:
            admit(30)
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(5)
    with room.place(0) as admit:
        admit(20)
        order.append("small")
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join()
    assert order == ["small", "first", "second"]
    # All of it is free again.
    with room.place(0) as admit:
        admit(100)


def test_what_never_fits_is_refused_and_tried_again_elsewhere() -> None:
    room = Room(pixels=50_000_000)
    with (
        pytest.raises(ImageError, match="225 megapixels, and this machine has memory for 50") as e,
        room.place(0) as admit,
    ):
        admit(225_000_000)
    assert (e.value.reason, e.value.lasting) == ("too large", False)
    with room.place(0) as admit:
        admit(50_000_000)
        # A file that had to be mended is decoded once more, not beside itself.
        admit(50_000_000)


def test_the_file_itself_takes_room() -> None:
    room = Room(pixels=100)
    with pytest.raises(ImageError, match="memory"), room.place(2000):
        pass
    with room.place(500) as admit, pytest.raises(ImageError, match="memory"):
        admit(51)


def test_there_is_as_much_room_as_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.machine.memory", lambda: 1 << 30)
    assert 50_000_000 < Room().pixels < 55_000_000
