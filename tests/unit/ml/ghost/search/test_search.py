"""Rounds of a search: the fastest lap that a car could drive is kept, and what a part left out does to it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from analysis.segmentation.stretches import TrackStretch
from ml.ghost.search.chain import ChainedLap, ChainError
from ml.ghost.search.human_source import HumanSource
from ml.ghost.search.search import SearchResult, search_ghost
from tests.unit.ml.ghost.search.made_ghosts import RULES, even_stretches, laps, limits

FEW = RULES.model_copy(update={"chaining": RULES.chaining.model_copy(update={"per_entry": 24, "beam": 60})})


class Watched(HumanSource):
    """Resampled passages; keeps what it is told, and its first proposals can be asked to fail."""

    def __init__(self, fails: int = 0) -> None:
        super().__init__(laps())
        self.best: list[ChainedLap] = []
        self.fails = fails

    def propose(self, stretch: TrackStretch, entry_mps: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        found = super().propose(stretch, entry_mps, n, rng)
        if self.fails > 0:
            self.fails -= 1
            found[:, :, 1:, 0] += 40.0 * np.linspace(0.0, 1.0, found.shape[2])[1:]
        return found

    def focus(self, best: ChainedLap) -> None:
        self.best.append(best)


@cache
def whole() -> SearchResult:
    return search_ghost(HumanSource(laps()), even_stretches(), laps(), limits(), FEW, rounds=3)


def test_the_fastest_drivable_lap_of_the_rounds_is_kept() -> None:
    found = whole()
    assert len(found.rounds) == 3
    able = [time_s for time_s, feasible in found.rounds if feasible]
    assert found.verdict.feasible
    assert found.ghost.lap_time_s == min(able)
    assert limits().limit_lap_s <= found.ghost.lap_time_s


def test_the_same_seed_gives_the_same_lap_and_progress_counts_every_stretch() -> None:
    told: list[tuple[int, int]] = []
    again = search_ghost(
        HumanSource(laps()),
        even_stretches(),
        laps(),
        limits(),
        FEW,
        rounds=3,
        on_progress=lambda done, total: told.append((done, total)),
    )
    np.testing.assert_array_equal(again.ghost.values, whole().ghost.values)
    assert told == [(k, 48) for k in range(1, 49)]


def test_a_source_hears_of_each_better_lap_and_drivable_is_better_than_fast() -> None:
    source = Watched()
    found = search_ghost(source, even_stretches(), laps(), limits(), FEW, rounds=3)
    better, best = 0, (True, np.inf)
    for time_s, feasible in found.rounds:
        if (not feasible, time_s) < best:
            best, better = (not feasible, time_s), better + 1
    assert len(source.best) == better
    assert best == (not found.verdict.feasible, found.ghost.lap_time_s)


def test_a_round_without_a_lap_does_not_end_the_search_and_none_at_all_does() -> None:
    found = search_ghost(Watched(fails=1), even_stretches(), laps(), limits(), FEW, rounds=2)
    assert np.isnan(found.rounds[0][0])
    assert found.ghost.lap_time_s == found.rounds[1][0]
    with pytest.raises(ChainError, match="none of"):
        search_ghost(Watched(fails=2), even_stretches(), laps(), limits(), FEW, rounds=2)


def test_without_chaining_speeds_jump_and_no_car_could_drive_it() -> None:
    found = search_ghost(HumanSource(laps()), even_stretches(), laps(), limits(), FEW, rounds=1, is_chained=False)
    assert not found.verdict.feasible
    assert found.verdict.figures["max_junction_speed_gap_kmh"] > FEW.feasibility.junction_gap_kmh
    assert found.ghost.lap_time_s < whole().ghost.lap_time_s
