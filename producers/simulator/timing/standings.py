"""Standings: positions and gaps at every crossing of the line, and the result."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from producers.simulator.timing.official_timing import SimulatedOfficialLap, TimingResult


@dataclass(frozen=True)
class Standing:
    """Where a car stands when it crosses the line.

    Attributes:
        laps: Laps it has completed.
        elapsed_ms: Time since the start of the race.
        position: Its position among all cars that have completed as many laps.
        gap_ms: Time behind the first car to complete as many laps.
        interval_ms: Time behind the one ahead; ``None`` for the leader.
        last: The lap just completed; ``None`` at the first crossing.
    """

    laps: int
    elapsed_ms: int
    position: int
    gap_ms: int
    interval_ms: int | None
    last: SimulatedOfficialLap | None


@dataclass(frozen=True)
class ResultLine:
    """One line of the result sheet; gaps in laps where a car is laps behind, in time where it is not.

    Attributes:
        position: ``None`` for a car that did not finish.
        fastest: Fastest lap, lap 1 and deleted laps left out; ``None`` where no lap is left.
        gap_first: Laps or milliseconds behind the winner, the other of the two ``None``; both in one ``None`` for the
            winner and a car that did not finish.
        gap_previous: The same behind the line above.
    """

    timed: TimingResult
    position: int | None
    total_ms: int
    fastest: SimulatedOfficialLap | None
    gap_first: tuple[int | None, int | None] | None
    gap_previous: tuple[int | None, int | None] | None


def line_crossings(timings: Sequence[TimingResult]) -> list[list[tuple[int, int]]]:
    """For each number of laps, from 0: elapsed milliseconds and grid index of every car that completed them, in order.

    Cars that cross in the same millisecond keep the order of the grid.
    """
    most = max(len(timed.laps) for timed in timings)
    table: list[list[tuple[int, int]]] = [[] for _ in range(most + 1)]
    for timed in timings:
        for laps, elapsed_ms in enumerate([timed.first_ms, *(lap.elapsed_ms for lap in timed.laps)]):
            table[laps].append((elapsed_ms, timed.car.index))
    return [sorted(row) for row in table]


def car_standings(timed: TimingResult, table: Sequence[Sequence[tuple[int, int]]]) -> Iterator[Standing]:
    """Where one car stands at each of its crossings, the first at the start of lap 1 included.

    Args:
        timed: The car.
        table: What :func:`line_crossings` gives.
    """
    for laps, last in enumerate([None, *timed.laps]):
        elapsed_ms, row = last.elapsed_ms if last else timed.first_ms, table[laps]
        at = bisect_left(row, (elapsed_ms, timed.car.index))
        interval_ms = elapsed_ms - row[at - 1][0] if at else None
        yield Standing(laps, elapsed_ms, at + 1, elapsed_ms - row[0][0], interval_ms, last)


def result_lines(timings: Sequence[TimingResult]) -> list[ResultLine]:
    """The result: by laps, then by time; after those that finished, those that did not, in the same order."""
    order = sorted(timings, key=lambda timed: (not timed.finished, -len(timed.laps), _total_ms(timed)))
    lines: list[ResultLine] = []
    for i, timed in enumerate(order):
        behind = timed.finished and i > 0
        lines.append(
            ResultLine(
                timed=timed,
                position=i + 1 if timed.finished else None,
                total_ms=_total_ms(timed),
                fastest=_fastest(timed),
                gap_first=_gap(timed, order[0]) if behind else None,
                gap_previous=_gap(timed, order[i - 1]) if behind else None,
            )
        )
    return lines


def _total_ms(timed: TimingResult) -> int:
    return timed.laps[-1].elapsed_ms


def _fastest(timed: TimingResult) -> SimulatedOfficialLap | None:
    counted = [lap for lap in timed.laps if lap.lap > 1 and not lap.deleted]
    return min(counted, key=lambda lap: lap.lap_ms, default=None)


def _gap(timed: TimingResult, ahead: TimingResult) -> tuple[int | None, int | None]:
    laps = len(ahead.laps) - len(timed.laps)
    return (laps, None) if laps else (None, _total_ms(timed) - _total_ms(ahead))
