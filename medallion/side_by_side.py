"""Run steps that do not need each other side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")
_AT_ONCE: Final = 4


def run_side_by_side(steps: Iterable[Callable[[], T]], at_once: int = _AT_ONCE) -> list[T]:
    """Run steps in threads; what they spend in the JVM and in files then overlaps.

    Args:
        steps: What to run, in the order in which they begin.
        at_once: How many may run at the same time.

    Returns:
        What each of them returns. All have ended then, also where one has failed; the first one's error is raised.
    """
    with ThreadPoolExecutor(at_once) as pool:
        running = [pool.submit(step) for step in steps]
    return [step.result() for step in running]
