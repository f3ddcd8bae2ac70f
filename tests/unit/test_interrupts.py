from __future__ import annotations

import signal
import threading

import pytest

from build.interrupts import held


def _steps(done: list[int], ctrl_c: tuple[int, ...], *, lets_through: bool) -> None:
    """Three steps within a block; Ctrl-C comes at the beginning of some."""
    with held() as let_through:
        for step in range(3):
            if lets_through:
                let_through()
            if step in ctrl_c:
                signal.raise_signal(signal.SIGINT)
            done.append(step)


@pytest.mark.parametrize(
    ("ctrl_c", "lets_through", "expected"),
    [
        pytest.param((1,), True, [0, 1], id="where it is let through"),
        pytest.param((0,), False, [0, 1, 2], id="at the end of the block"),
        pytest.param((0, 1), False, [0], id="a second one at once"),
    ],
)
def test_ctrl_c_comes_through(
    ctrl_c: tuple[int, ...], lets_through: bool, expected: list[int]
) -> None:
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        _steps(done, ctrl_c, lets_through=lets_through)
    assert done == expected
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _fails() -> None:
    with held():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("of the block")


def test_an_error_of_the_block_is_not_replaced() -> None:
    with pytest.raises(ValueError, match="of the block"):
        _fails()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_thread_may_use_it() -> None:
    done: list[int] = []
    thread = threading.Thread(target=_steps, args=(done, ()), kwargs={"lets_through": True})
    thread.start()
    thread.join()
    assert done == [0, 1, 2]
