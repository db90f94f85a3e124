"""Rounds of chaining, smoothing and checking, each near the best lap so far; the best one is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.segmentation.stretches import TrackStretch
from conf.ghost import ChainingRules, GhostRules
from ml.ghost.search.candidate_filter import CandidateFilter
from ml.ghost.search.chain import ChainError, FocusingSource, StretchSource, chain_stretches
from ml.ghost.search.feasibility import FeasibilityVerdict, check_feasibility
from ml.ghost.search.ghost_lap import GhostLap, assemble_ghost
from ml.ghost.search.human_laps import HumanLaps
from ml.ghost.search.limits import CarLimits

OnProgress = Callable[[int, int], None]  # stretches done, of how many

_STRICTER_MPS2: Final = 0.1
_STRICTER_SHARE: Final = 0.75


@dataclass(frozen=True)
class SearchResult:
    """Outcome of a search.

    Attributes:
        ghost: The fastest lap that a car could drive; the fastest of all where it could drive none.
        verdict: Whether a car could drive it.
        rounds: Lap time and feasibility of each round; NaN where no lap could be chained.
    """

    ghost: GhostLap
    verdict: FeasibilityVerdict
    rounds: tuple[tuple[float, bool], ...]


def search_ghost(
    source: StretchSource,
    parts: Sequence[TrackStretch],
    laps: HumanLaps,
    limits: CarLimits,
    rules: GhostRules,
    *,
    seed: int = 0,
    rounds: int = 4,
    is_chained: bool = True,
    is_smoothed: bool = True,
    on_progress: OnProgress | None = None,
) -> SearchResult:
    """Search for the fastest feasible lap.

    Args:
        source: Where stretches come from.
        parts: Stretches that cover the lap.
        laps: Human laps.
        limits: What they showed of the car.
        rules: Thresholds.
        seed: Of the first round; each further one has the next.
        rounds: Laps that are chained.
        is_chained: Whether a stretch begins as fast as the one before it ended; without, to see what that buys.
        is_smoothed: Whether the lap is smoothed; without, likewise.
        on_progress: Called after each stretch.

    Raises:
        ChainError: If none of the rounds gave a lap.
    """
    chaining = rules.chaining
    best: tuple[bool, float] = (True, float("inf"))
    kept: tuple[GhostLap, FeasibilityVerdict] | None = None
    outcomes: list[tuple[float, bool]] = []
    failed = ChainError("no round was asked for: give at least one")
    for number in range(rounds):
        tell = _CountingSource(number * len(parts), rounds * len(parts), on_progress)
        try:
            chained = chain_stretches(
                source,
                parts,
                CandidateFilter(limits, laps, chaining),
                laps,
                chaining,
                np.random.default_rng(seed + number),
                chaining=is_chained,
                progress=tell,
            )
        except ChainError as error:
            failed = error
            outcomes.append((float("nan"), False))
            continue
        ghost = assemble_ghost(chained, limits, rules, is_smoothed=is_smoothed)
        verdict = check_feasibility(ghost)
        outcomes.append((ghost.lap_time_s, verdict.feasible))
        if not verdict.feasible:
            chaining = _tighten_rules(chaining)
        if (not verdict.feasible, ghost.lap_time_s) < best:
            best, kept = (not verdict.feasible, ghost.lap_time_s), (ghost, verdict)
            if isinstance(source, FocusingSource):
                source.focus(chained)
    if kept is None:
        raise failed
    return SearchResult(*kept, tuple(outcomes))


def _tighten_rules(rules: ChainingRules) -> ChainingRules:
    """Rules for candidates after a lap of theirs was refused as a whole: small excesses had added up."""
    return rules.model_copy(
        update={"margin_mps2": rules.margin_mps2 - _STRICTER_MPS2, "engine_n": _STRICTER_SHARE * rules.engine_n}
    )


class _CountingSource:
    """Counts stretches over all rounds."""

    def __init__(self, done: int, total: int, on_progress: OnProgress | None) -> None:
        self.done, self.total, self.on_progress = done, total, on_progress

    def __call__(self, *_: object) -> None:
        self.done += 1
        if self.on_progress:
            self.on_progress(self.done, self.total)
