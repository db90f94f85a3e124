"""Chain a lap from generated stretches: the fastest one with matching speeds that a car could drive (seed item G12).

A shortest path through the lap: the states after each stretch are exit speeds, the fastest way to each is kept, and the
exit speed of one stretch is the entry speed of the next, to the last digit, in m/s. A lap must end about as fast as it
began, or it could only be driven once. The search begins where the cars are slowest, since they differ least there, and
tries several start speeds side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from analysis.segmentation.stretches import TrackStretch
from conf.arrays import FloatArray, IndexArray
from conf.errors import InputError
from conf.ghost import ChainingRules
from conf.reasons import Refusal
from conf.units import KMH_PER_MPS
from ml.ghost.search.candidate_filter import CandidateFilter, FilterResult, PreviousStretch
from ml.ghost.search.human_laps import CHANNELS, STEPS, HumanLaps

__all__ = [
    "CHANNELS",
    "STEPS",
    "ChainError",
    "ChainedLap",
    "FocusingSource",
    "StretchSource",
    "chain_stretches",
    "piece_times_s",
]

Progress = Callable[[TrackStretch, int, int], None]  # stretch, candidates that passed, candidates drawn

_START_QUANTILES = (0.1, 0.9)


class ChainError(InputError):
    """No lap can be chained; the message says where, why and what to do."""


class StretchSource(Protocol):
    """Where stretches come from."""

    def propose(self, stretch: TrackStretch, entry_mps: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
        """Candidates for a stretch.

        Args:
            stretch: The stretch.
            entry_mps: Entry speeds, shape (m,).
            n: Candidates for each.
            rng: Chance.

        Returns:
            ``CHANNELS`` in their units at ``STEPS`` even distances from the stretch's start to its end, shape
            (m, n, STEPS, 4); the first speed of each is its entry speed.
        """


@runtime_checkable
class FocusingSource(StretchSource, Protocol):
    """A source that can search near a lap chained from its last candidates."""

    def focus(self, best: ChainedLap) -> None:
        """Propose candidates near these from now on."""


@dataclass(frozen=True)
class ChainedLap:
    """A chained lap.

    Attributes:
        stretches: In order; they cover the lap.
        pieces: ``CHANNELS`` over each, shape (stretches, STEPS, 4).
        candidates: How many were drawn.
        passed: How many of them could be driven.
    """

    stretches: tuple[TrackStretch, ...]
    pieces: FloatArray
    candidates: int
    passed: int

    @property
    def lap_time_s(self) -> float:
        """Time before smoothing."""
        return float(
            sum(piece_times_s(p[None, :, 0], s.length_m)[0] for p, s in zip(self.pieces, self.stretches, strict=True))
        )

    @property
    def junction_gaps_kmh(self) -> FloatArray:
        """Speed that would have to change in no time after each stretch, the line last, shape (stretches,)."""
        return np.asarray(np.abs(np.roll(self.pieces[:, 0, 0], -1) - self.pieces[:, -1, 0]) * KMH_PER_MPS)


@dataclass(frozen=True)
class _States:
    """Ways to drive up to the end of a stretch, each shape (k, ...)."""

    time_s: FloatArray
    start: IndexArray
    parent: IndexArray
    pieces: FloatArray

    @property
    def speed_mps(self) -> FloatArray:
        return np.asarray(self.pieces[:, -1, 0])


def chain_stretches(
    source: StretchSource,
    stretches: Sequence[TrackStretch],
    gate: CandidateFilter,
    laps: HumanLaps,
    rules: ChainingRules,
    rng: np.random.Generator,
    *,
    chaining: bool = True,
    progress: Progress | None = None,
) -> ChainedLap:
    """The fastest lap of a source's candidates.

    Args:
        source: Where stretches come from.
        stretches: They cover the lap.
        gate: Which candidates may join.
        laps: Human laps, for the speeds at the line (and, without chaining, at the start of each stretch).
        rules: How many candidates are drawn and kept.
        rng: Chance.
        chaining: Without it each stretch takes its fastest candidate, whatever its neighbours do.
        progress: Called after each stretch.

    Raises:
        ChainError: If no lap can be chained.
    """
    search = _Search(source, gate, rules, rng, progress)
    if not chaining:
        return search.unchained(stretches, laps)
    first = int(np.argmin([np.median(laps.speeds_at(stretch.start_m)) for stretch in stretches]))
    turned = [*stretches[first:], *stretches[:first]]
    speeds = laps.speeds_at(turned[0].start_m)
    found = search.chained(turned, np.unique(np.quantile(speeds, np.linspace(*_START_QUANTILES, rules.starts))))
    return replace(found, stretches=tuple(stretches), pieces=np.roll(found.pieces, first, axis=0))


def piece_times_s(speed_mps: FloatArray, length_m: float) -> FloatArray:
    """Time over pieces at ``STEPS`` even distances, shape (..., STEPS) to (...): ``2 ds / (v_i + v_i+1)`` summed."""
    step_m = length_m / (speed_mps.shape[-1] - 1)
    return np.asarray((2.0 * step_m / (speed_mps[..., 1:] + speed_mps[..., :-1])).sum(axis=-1))


class _Search:
    """One search for a lap."""

    def __init__(
        self,
        source: StretchSource,
        gate: CandidateFilter,
        rules: ChainingRules,
        rng: np.random.Generator,
        progress: Progress | None,
    ) -> None:
        self._source, self._gate, self._rules, self._rng = source, gate, rules, rng
        self._most, self._progress = gate.most_excess_mps2, progress
        self._drawn = self._passed = 0

    def chained(self, stretches: Sequence[TrackStretch], starts_mps: FloatArray) -> ChainedLap:
        """Dynamic programming once round."""
        layers: list[_States] = []
        entry, time, start = starts_mps, np.zeros(len(starts_mps)), np.arange(len(starts_mps))
        for k, stretch in enumerate(stretches):
            before = PreviousStretch(stretches[k - 1], layers[-1].pieces[:, :, 0]) if layers else None
            pieces, passed = self._candidates(stretch, entry, before)
            # What is left has the entry speed of its state exactly.
            parent, which = np.nonzero(passed.passed)
            found = pieces[parent, which]
            after = _States(
                time[parent] + piece_times_s(found[:, :, 0], stretch.length_m), start[parent], parent, found
            )
            layers.append(self._kept(after))
            entry, time, start = layers[-1].speed_mps, layers[-1].time_s, layers[-1].start
        return self._closed(layers, stretches, starts_mps)

    def unchained(self, stretches: Sequence[TrackStretch], laps: HumanLaps) -> ChainedLap:
        """The fastest candidate of each stretch, from any speed at which humans entered it."""
        best: list[FloatArray] = []
        for stretch in stretches:
            pieces, passed = self._candidates(stretch, laps.speeds_at(stretch.start_m), None)
            found = pieces[passed.passed]
            best.append(found[int(np.argmin(piece_times_s(found[:, :, 0], stretch.length_m)))])
        return ChainedLap(tuple(stretches), np.array(best), self._drawn, self._passed)

    def _candidates(
        self, stretch: TrackStretch, entry_mps: FloatArray, before: PreviousStretch | None
    ) -> tuple[FloatArray, FilterResult]:
        pieces = self._source.propose(stretch, entry_mps, self._rules.per_entry, self._rng)
        expected = (len(entry_mps), self._rules.per_entry, STEPS, len(CHANNELS))
        if pieces.shape != expected:
            raise ValueError(f"the source gave candidates of shape {pieces.shape}: give {expected}")
        if not np.array_equal(pieces[:, :, 0, 0], np.broadcast_to(entry_mps[:, None], expected[:2])):
            raise ValueError(
                "the source's candidates do not begin at the entry speed: make the first speed that of entry"
            )
        passed = self._gate.check(stretch, pieces, before)
        count = int(passed.passed.sum())
        self._drawn += passed.passed.size
        self._passed += count
        if self._progress is not None:
            self._progress(stretch, count, passed.passed.size)
        if not count:
            raise ChainError(_describe_refusals(stretch, entry_mps, passed, self._most))
        return pieces, passed

    def _kept(self, found: _States) -> _States:
        """The fastest for each start and bin of exit speeds; wider bins where there would be more than the beam."""
        width = self._rules.bin_kmh / KMH_PER_MPS
        while True:
            bins = np.floor(found.speed_mps / width).astype(np.intp)
            order = np.lexsort((found.time_s, bins, found.start))
            key = np.stack([found.start[order], bins[order]], axis=1)
            first = np.concatenate([[True], (np.diff(key, axis=0) != 0).any(axis=1)])
            kept = order[first]
            if len(kept) <= self._rules.beam or width > float(np.ptp(found.speed_mps)) + 1e-9:
                return _States(found.time_s[kept], found.start[kept], found.parent[kept], found.pieces[kept])
            width *= 1.25

    def _closed(self, layers: list[_States], stretches: Sequence[TrackStretch], starts_mps: FloatArray) -> ChainedLap:
        """The fastest lap that can be followed by itself."""
        last = layers[-1]
        gain_kmh = (last.speed_mps - starts_mps[last.start]) * KMH_PER_MPS
        fast = np.flatnonzero(np.abs(gain_kmh) <= self._rules.closure_kmh)
        if not fast.size:
            raise ChainError(
                f"stretch {stretches[-1].number} ({stretches[-1].kind}, {stretches[-1].start_m:.0f} to "
                f"{stretches[-1].end_m:.0f} m): no lap ends as fast as it began, the nearest is "
                f"{np.abs(gain_kmh).min():.1f} km/h off and {self._rules.closure_kmh:g} are allowed; raise "
                "chaining.per_entry or chaining.starts in conf/ghost.yaml, or give the source faster laps to learn from"
            )
        seam = np.zeros(len(fast))
        if len(stretches) > 1:
            heads = layers[0].pieces[[_path(layers, int(k))[0] for k in fast], :, 0]
            seam = self._gate.seam_mps2(stretches[-1], last.pieces[fast, :, 0], stretches[0], heads)
        if not (seam <= self._most).any():
            raise ChainError(
                f"stretch {stretches[0].number} ({stretches[0].kind}, from {stretches[0].start_m:.0f} m): {len(fast)} "
                f"laps end as fast as they began, but where they meet each leaves the envelope, by {seam.min():.2f} "
                "m/s^2 or more; raise chaining.per_entry in conf/ghost.yaml"
            )
        able = fast[seam <= self._most]
        best = int(able[np.argmin(last.time_s[able])])
        path = _path(layers, best)
        pieces = np.array([layer.pieces[k] for layer, k in zip(layers, path, strict=True)])
        return ChainedLap(tuple(stretches), pieces, self._drawn, self._passed)


def _path(layers: Sequence[_States], last: int) -> list[int]:
    """Index of a lap's state in each layer."""
    path = [last]
    for layer in layers[:0:-1]:
        path.append(int(layer.parent[path[-1]]))
    return path[::-1]


def _describe_refusals(stretch: TrackStretch, entry_mps: FloatArray, passed: FilterResult, most_mps2: float) -> str:
    """Why none of a stretch's candidates passed, and what to do."""
    failed = ", ".join(f"{count} {Refusal.of(code).text}" for code, count in passed.reasons.items() if count)
    entries = f"{entry_mps.min() * KMH_PER_MPS:.0f} to {entry_mps.max() * KMH_PER_MPS:.0f} km/h"
    closest = float(passed.excess_mps2.min())
    nearest = (
        f"; the nearest leaves it by {closest:.2f} m/s^2 and {most_mps2:g} are allowed" if closest > most_mps2 else ""
    )
    return (
        f"stretch {stretch.number} ({stretch.kind}, {stretch.start_m:.0f} to {stretch.end_m:.0f} m): none of "
        f"{passed.passed.size} candidates for {len(entry_mps)} entry speeds of {entries} can be driven: {failed}"
        f"{nearest}; raise chaining.per_entry in conf/ghost.yaml, or train the source longer or on more laps"
    )
