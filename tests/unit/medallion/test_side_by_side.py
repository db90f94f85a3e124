"""Steps that run in threads: all end, in order their results, the first error."""

from __future__ import annotations

from functools import partial
from threading import Barrier

import pytest

from medallion.side_by_side import run_side_by_side


def test_steps_overlap_and_their_results_keep_their_order() -> None:
    together = Barrier(3, timeout=20)  # passed only by three at the same time

    def wait(name: str) -> str:
        together.wait()
        return name

    assert run_side_by_side([partial(wait, name) for name in "abc"]) == ["a", "b", "c"]


def test_the_others_end_where_one_fails() -> None:
    ended = []

    def fail() -> None:
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        run_side_by_side([fail, lambda: ended.append(1), lambda: ended.append(2)], at_once=1)
    assert ended == [1, 2]
