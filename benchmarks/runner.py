"""Timing ours and its peers in turns, and what follows from the times."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from types import MappingProxyType

Run = Callable[[], Mapping[str, float]]
"""Does the work once, from scratch, and returns the seconds of its timed part or parts by name."""

Times = Mapping[str, Sequence[float]]


class BenchmarkError(RuntimeError):
    """A side did not do the work it was timed for, so its time says nothing."""


@dataclass(frozen=True)
class Unit:
    """What a result is given in.

    Attributes:
        name: Such as ``samples/s`` or ``us/row``.
        seconds: For a duration, how many of this unit one second is; ``None`` for a rate.
    """

    name: str
    seconds: float | None = None

    def value(self, amount: float, seconds: float) -> float:
        """``amount`` of work done in ``seconds``, as a rate or as the time for one."""
        return amount / seconds if self.seconds is None else seconds * self.seconds / amount


@dataclass(frozen=True)
class Goal:
    """What we mean to reach; all that is given must hold.

    Attributes:
        ratio: Least speed against the peer's.
        least: Least value (of a rate).
        most: Greatest value (of a duration).
    """

    ratio: float | None = None
    least: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        parts = ((">=", self.ratio, "x"), (">=", self.least, ""), ("<=", self.most, ""))
        return ", ".join(f"{sign} {number:,g}{x}" for sign, number, x in parts if number is not None)

    def met(self, ratio: float, value: float) -> bool | None:
        """Whether it is reached, ``None`` where nothing was aimed at."""
        held = [
            *([] if self.ratio is None else [ratio >= self.ratio]),
            *([] if self.least is None else [value >= self.least]),
            *([] if self.most is None else [value <= self.most]),
        ]
        return all(held) if held else None


NO_GOAL = Goal()


@dataclass(frozen=True)
class Side:
    """One side's times.

    Attributes:
        name: Who did the work.
        seconds: One time a counted run, in order.
        value: Median in the result's unit.
        low: Least value of a run.
        high: Greatest value of a run.
        costs: What it took besides, such as ``cpu_s``: one figure a counted run, in order.
    """

    name: str
    seconds: tuple[float, ...]
    value: float
    low: float
    high: float
    costs: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """Ours against one peer.

    Attributes:
        work: What was done.
        amount: How much of it, in the unit's numerator (for a duration: how many were timed together).
        ratio: Our speed over the peer's, median over the rounds: 2 is twice as fast, whatever the unit.
        ratio_low: Least ratio of a round.
        ratio_high: Greatest ratio of a round.
        met: Whether the goal is reached; ``None`` where there is none.
        note: What a reader must know to judge the comparison.
        facts: What the sides worked on, such as the rows of a table.
    """

    work: str
    unit: Unit
    amount: float
    ours: Side
    peer: Side
    ratio: float
    ratio_low: float
    ratio_high: float
    goal: Goal
    met: bool | None
    note: str
    facts: Mapping[str, float] = field(default_factory=dict)


def timed(work: Callable[[], object]) -> float:
    """Seconds that ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def race(
    runs: Sequence[Run], rounds: int, warmups: int = 1, say: Callable[[str], object] = lambda _: None
) -> dict[str, tuple[float, ...]]:
    """Run all sides in turns, so that the noise of a shared machine hits all of them.

    Each round begins with the next side, so that none always follows the same other.

    Args:
        runs: The sides; the names they return must differ.
        rounds: Rounds that count.
        warmups: Rounds before them that do not.
        say: Where progress goes.

    Returns:
        Seconds of each counted round, by name.
    """
    times: dict[str, list[float]] = {}
    for number in range(warmups + rounds):
        first = number % len(runs)
        for run in (*runs[first:], *runs[:first]):
            gc.collect()
            taken = run()
            say(
                f"{number - warmups + 1:3d}  " + ", ".join(f"{name} {seconds:.3g} s" for name, seconds in taken.items())
            )
            if number >= warmups:
                for name, seconds in taken.items():
                    times.setdefault(name, []).append(seconds)
    return {name: tuple(seconds) for name, seconds in times.items()}


def compare(
    times: Times,
    ours: str,
    peer: str,
    work: str,
    amount: float,
    unit: Unit,
    goal: Goal = NO_GOAL,
    note: str = "",
    costs: Mapping[str, Mapping[str, Sequence[float]]] = MappingProxyType({}),
    facts: Mapping[str, float] = MappingProxyType({}),
) -> Result:
    """Hold our times against a peer's, round by round.

    Args:
        times: Seconds of each counted round, by name.
        ours: Name of our side.
        peer: Name of the other.
        work: What was done.
        amount: How much of it.
        unit: What the result is given in.
        goal: What we mean to reach.
        note: What a reader must know.
        costs: What each side took besides, by side and name, in the order of the rounds.
        facts: What they worked on.

    Raises:
        BenchmarkError: If a side was not timed, or not as often as the other.
    """
    for name in (ours, peer):
        if not times.get(name):
            raise BenchmarkError(f"{work}: '{name}' was not timed; there are times of {', '.join(times) or 'nobody'}")
    if len(times[ours]) != len(times[peer]):
        raise BenchmarkError(f"{work}: {len(times[ours])} runs of '{ours}' against {len(times[peer])} of '{peer}'")
    ratios = [theirs / mine for mine, theirs in zip(times[ours], times[peer], strict=True)]
    ratio, mine = median(ratios), _side(ours, times[ours], amount, unit, costs.get(ours, {}))
    met = goal.met(ratio, mine.value)
    theirs = _side(peer, times[peer], amount, unit, costs.get(peer, {}))
    return Result(work, unit, amount, mine, theirs, ratio, min(ratios), max(ratios), goal, met, note, dict(facts))


def must_be(found: object, wanted: object, what: str) -> None:
    """Check that a side did its work.

    Raises:
        BenchmarkError: If ``found`` is not ``wanted``.
    """
    if found != wanted:
        raise BenchmarkError(f"{what}: {found} where {wanted} was expected, so the time means nothing")


def _side(name: str, seconds: Sequence[float], amount: float, unit: Unit, costs: Mapping[str, Sequence[float]]) -> Side:
    values = [unit.value(amount, s) for s in seconds]
    return Side(name, tuple(seconds), median(values), min(values), max(values), dict(costs))
