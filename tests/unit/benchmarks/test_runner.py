from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.runner import BenchmarkError, Goal, Run, Unit, compare, must_be, race, timed

RATE, MICROS = Unit("rows/s"), Unit("us/row", seconds=1e6)
SECONDS = st.floats(1e-6, 1e3)


def test_sides_take_turns_and_each_round_begins_with_the_next() -> None:
    order: list[str] = []

    def side(name: str) -> Run:
        def run() -> dict[str, float]:
            order.append(name)
            return {name: float(len(order))}

        return run

    times = race([side("a"), side("b"), side("c")], rounds=2, warmups=1)
    assert order == list("abcbcacab")
    assert times == {"a": (6.0, 8.0), "b": (4.0, 9.0), "c": (5.0, 7.0)}


def test_the_warm_up_does_not_count() -> None:
    seconds = iter([100.0, 1.0, 2.0])
    assert race([lambda: {"ours": next(seconds)}], rounds=2, warmups=1) == {"ours": (1.0, 2.0)}


def test_one_run_may_time_several_parts() -> None:
    assert race([lambda: {"whole": 3.0, "part": 1.0}], rounds=1) == {"whole": (3.0,), "part": (1.0,)}


def test_ratio_is_of_speeds_and_paired_by_round() -> None:
    # The machine is ten times slower in the second round: the values spread, the ratio does not.
    times = {"ours": (1.0, 10.0, 1.0), "peer": (2.0, 20.0, 2.0)}
    result = compare(times, "ours", "peer", "work", 100, RATE, Goal(ratio=2.0))
    assert (result.ratio, result.ratio_low, result.ratio_high) == (2.0, 2.0, 2.0)
    assert (result.ours.value, result.ours.low, result.ours.high) == (100.0, 10.0, 100.0)
    assert result.met is True


def test_faster_is_above_one_for_durations_too() -> None:
    result = compare({"ours": (2e-5,), "peer": (4e-3,)}, "ours", "peer", "one row", 1, MICROS, Goal(most=50))
    assert result.ours.value == pytest.approx(20.0)
    assert result.ratio == pytest.approx(200.0)
    assert result.met is True


@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=9), st.sampled_from([RATE, MICROS]))
def test_median_lies_within_the_spread_and_the_other_way_round_is_the_inverse(
    rounds: list[tuple[float, float]], unit: Unit
) -> None:
    times = {"a": tuple(a for a, _ in rounds), "b": tuple(b for _, b in rounds)}
    there, back = (compare(times, *pair, "work", 10, unit) for pair in (("a", "b"), ("b", "a")))
    for r in (there, back):
        assert r.ratio_low <= r.ratio <= r.ratio_high
        assert r.ours.low <= r.ours.value <= r.ours.high
        assert r.met is None
    assert there.ratio_low * back.ratio_high == pytest.approx(1.0)
    if len(rounds) % 2:
        assert there.ratio * back.ratio == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("goal", "ratio", "value", "met"),
    [
        (Goal(), 0.0, 0.0, None),
        (Goal(ratio=0.9), 0.9, 0.0, True),
        (Goal(ratio=0.9), 0.89, 1e9, False),
        (Goal(least=2e6), 0.1, 2e6, True),
        (Goal(most=50), 9.0, 50.1, False),
        (Goal(ratio=1.0, least=10), 1.5, 9.9, False),
        (Goal(ratio=1.0, least=10), 1.5, 10.0, True),
    ],
)
def test_a_goal_is_met_only_if_all_of_it_holds(goal: Goal, ratio: float, value: float, met: bool | None) -> None:
    assert goal.met(ratio, value) is met


def test_a_goal_reads_as_what_it_asks() -> None:
    assert str(Goal(ratio=0.9, least=2e6)) == ">= 0.9x, >= 2e+06"
    assert str(Goal(most=50)) == "<= 50"
    assert str(Goal()) == ""


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ({"ours": (1.0,)}, "'peer' was not timed; there are times of ours"),
        ({"ours": (), "peer": (1.0,)}, "'ours' was not timed"),
        ({"ours": (1.0, 2.0), "peer": (1.0,)}, "2 runs of 'ours' against 1 of 'peer'"),
    ],
)
def test_times_that_cannot_be_compared_are_an_error(times: dict[str, tuple[float, ...]], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        compare(times, "ours", "peer", "work", 1, RATE)


def test_work_that_was_not_done_has_no_figure() -> None:
    must_be([3], [3], "rows")
    with pytest.raises(BenchmarkError, match=r"rows in silver: 2 where 3 was expected"):
        must_be(2, 3, "rows in silver")


def test_timed_returns_the_time_of_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([5.0, 7.5])
    clock: Callable[[], float] = lambda: next(ticks)  # noqa: E731
    monkeypatch.setattr("benchmarks.runner.time.perf_counter", clock)
    assert timed(lambda: None) == 2.5
