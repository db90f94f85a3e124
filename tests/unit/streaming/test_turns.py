"""The lock between batches and steps."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier, Event, Thread, Timer

import pytest

from streaming.turns import TurnLock


def test_who_asks_first_comes_first() -> None:
    lock, came, threads = TurnLock(), [], []

    def take(number: int) -> None:
        with lock:
            came.append(number)

    with lock:
        for number in range(20):
            threads.append(Thread(target=take, args=(number,)))
            threads[-1].start()
            while len(lock._queue) < number + 2:  # the holder is the first
                time.sleep(0.001)
        assert not came
    for thread in threads:
        thread.join()
    assert came == [*range(20)]


def test_a_holder_that_asks_again_at_once_waits_for_the_others() -> None:
    lock, seen, both = TurnLock(), [], Barrier(2)

    def take(name: str) -> None:
        both.wait()
        for _ in range(50):
            with lock:
                seen.append(name)
                time.sleep(0.002)

    with ThreadPoolExecutor() as threads:
        for name in "ab":
            threads.submit(take, name)
    assert len(seen) == 100
    turns = sum(one != other for one, other in pairwise(seen))
    assert turns > 60  # 99, less what one does while the other is not given a processor


def test_one_at_a_time_and_a_holder_may_take_it_again() -> None:
    lock, counter = TurnLock(), [0]

    def count() -> None:
        for _ in range(300):
            with lock, lock:
                before = counter[0]
                time.sleep(0)
                counter[0] = before + 1

    with ThreadPoolExecutor(4) as threads:
        for found in [threads.submit(count) for _ in range(4)]:
            found.result()
    assert counter == [1200]


def test_an_error_inside_lets_the_next_in() -> None:
    lock = TurnLock()
    for _ in range(2):
        with pytest.raises(ValueError, match="inside"), lock:
            raise ValueError("inside")
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(lambda: bool(lock.__enter__())).result(timeout=10)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let SIGINT interrupt, which whoever started this process may have had ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("interruptible")
def test_who_is_interrupted_while_it_waits_leaves_the_queue() -> None:
    lock = TurnLock()
    held, done = Event(), Event()

    def hold() -> None:
        with lock:
            held.set()
            done.wait()

    holder = Thread(target=hold)
    holder.start()
    held.wait()
    Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt), lock:
        raise AssertionError
    done.set()
    holder.join()
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(lambda: bool(lock.__enter__())).result(timeout=10)
