"""Something that goes on in a thread beside other work, and ends with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Event


@contextmanager
def run_beside(step: Callable[[Event], None]) -> Iterator[None]:
    """Run a step beside the body.

    Args:
        step: It is given the event that is set when the body has ended, and has to return then.
    """
    from threading import Event, Thread

    ended = Event()
    thread = Thread(target=step, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
