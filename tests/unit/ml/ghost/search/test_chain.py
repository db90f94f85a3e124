"""Chaining: speeds meet to the last digit, the fastest lap is found, and a failure says where and why."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.segmentation.stretches import TrackStretch
from ml.ghost.search.candidate_filter import CandidateFilter, FilterResult, PreviousStretch
from ml.ghost.search.chain import STEPS, ChainedLap, ChainError, StretchSource, chain_stretches, piece_times_s
from ml.ghost.search.ghost_lap import resample_chain
from ml.ghost.search.human_source import HumanSource
from physics.integrate import elapsed_s
from tests.unit.ml.ghost.search.made_ghosts import RULES, even_stretches, laps, limits

FEW = RULES.chaining.model_copy(update={"per_entry": 24, "beam": 60})
CHANGES = np.array([-4.0, -1.0, 0.0, 2.0, 3.0])


class Open(CandidateFilter):
    """Lets everything through."""

    def __init__(self) -> None:
        pass

    @property
    def most_excess_mps2(self) -> float:
        return 0.25

    def check(self, stretch: TrackStretch, pieces: np.ndarray, before: PreviousStretch | None) -> FilterResult:
        return FilterResult(np.ones(pieces.shape[:2], dtype=bool), np.zeros(pieces.shape[:2]), {})

    def seam_mps2(self, last: TrackStretch, ends: np.ndarray, first: TrackStretch, starts: np.ndarray) -> np.ndarray:
        return np.zeros(len(ends))


class Steps:
    """The same changes of speed from wherever one is; gaining speed costs a detour in the middle."""

    def propose(self, stretch: TrackStretch, entry_mps: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        change = CHANGES[:n]
        found = np.zeros((len(entry_mps), n, STEPS, 4))
        rise = np.linspace(0.0, 1.0, STEPS)
        dip = np.where(change > 0, 8.0 * change, 0.0)[:, None] * np.sin(np.pi * rise) * (stretch.number + 1) / 10
        found[:, :, :, 0] = entry_mps[:, None, None] + change[:, None] * rise - dip
        found[:, :, 0, 0] = entry_mps[:, None]
        return found


def run(
    source: StretchSource, stretches: Sequence[TrackStretch], gate: CandidateFilter, seed: int = 0, **more: object
) -> ChainedLap:
    chaining = bool(more.pop("chaining", True))
    return chain_stretches(
        source, stretches, gate, laps(), FEW.model_copy(update=more), np.random.default_rng(seed), chaining=chaining
    )


@pytest.fixture(scope="module")
def gate() -> CandidateFilter:
    return CandidateFilter(limits(), laps(), FEW)


def last_searched(n: int = 16) -> int:
    """The stretch before the one where the cars are slowest: there the search ends."""
    return (int(np.argmin([np.median(laps().speeds_at(s.start_m)) for s in even_stretches(n)])) - 1) % n


@pytest.mark.slow
@given(st.integers(0, 10_000))
@settings(max_examples=5, deadline=None)
def test_speeds_meet_exactly_and_the_lap_can_follow_itself(seed: int) -> None:
    found = run(HumanSource(laps()), even_stretches(), CandidateFilter(limits(), laps(), FEW), seed)
    gaps = found.junction_gaps_kmh
    assert np.delete(gaps, last_searched()).max() == 0.0
    assert gaps.max() <= FEW.closure_kmh
    assert [s.number for s in found.stretches] == list(range(16))
    assert limits().limit_lap_s <= found.lap_time_s
    assert 0 < found.passed <= found.candidates


def test_the_fastest_lap_is_found() -> None:
    stretches = even_stretches(4)
    found = run(Steps(), stretches, Open(), per_entry=5, beam=10_000, bin_kmh=1e-6, starts=1)
    first = (last_searched(4) + 1) % 4
    start = found.pieces[first, 0, 0]
    turned = [*stretches[first:], *stretches[:first]]
    best = np.inf
    for picks in itertools.product(range(5), repeat=4):
        v, total = start, 0.0
        for stretch, pick in zip(turned, picks, strict=True):
            piece = Steps().propose(stretch, np.array([v]), 5, np.random.default_rng(0))[0, pick]
            total += float(piece_times_s(piece[None, :, 0], stretch.length_m)[0])
            v = piece[-1, 0]
        if abs(v - start) * 3.6 <= FEW.closure_kmh:
            best = min(best, total)
    assert found.lap_time_s == pytest.approx(best, abs=1e-9)


def test_the_search_stays_within_its_beam() -> None:
    sizes: list[int] = []
    chain_stretches(
        HumanSource(laps()),
        even_stretches(),
        Open(),
        laps(),
        FEW,
        np.random.default_rng(0),
        progress=lambda _stretch, _passed, drawn: sizes.append(drawn),
    )
    assert len(sizes) == 16
    assert max(sizes) <= FEW.beam * FEW.per_entry


def test_without_chaining_speeds_do_not_meet(gate: CandidateFilter) -> None:
    loose = run(HumanSource(laps()), even_stretches(), gate, chaining=False)
    assert loose.junction_gaps_kmh.max() > 1.0
    assert set(loose.pieces[:, 0, 0]) <= {v for s in even_stretches() for v in laps().speeds_at(s.start_m)}


def test_the_grid_keeps_the_time(gate: CandidateFilter) -> None:
    found = run(HumanSource(laps()), even_stretches(), gate)
    step_m = limits().step_m
    values = resample_chain(found, laps().values.shape[1] - 1, step_m)
    assert elapsed_s(values[:, 0], step_m)[-1] == pytest.approx(found.lap_time_s, abs=5e-3)


class Worse:
    """The bootstrap, spoilt in one way."""

    def __init__(self, how: str) -> None:
        self.how = how

    def propose(self, stretch: TrackStretch, entry_mps: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        found = HumanSource(laps()).propose(stretch, entry_mps, n, rng)
        rise = np.linspace(0.0, 1.0, STEPS)
        if self.how == "rocket" and stretch.number == 5:
            found[:, :, :, 0] += 30.0 * rise
        if self.how == "pedals" and stretch.number == 5:
            found[:, :, :, 1:3] = (100.0, 60.0)
        if self.how == "holes" and stretch.number == 5:
            found[:, :, -1, 3] = np.nan
        if self.how == "tired" and stretch.number == last_searched():
            found[:, :, :, 0] -= 15.0 * rise
        if self.how == "entry":
            found[:, :, 0, 0] += 1e-6
        return found[:, :, :-1] if self.how == "shape" else found


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("rocket", r"stretch 5 \(Turn, \d+ to \d+ m\): none of \d+ candidates .* km/h can .*: .*leave the envelope"),
        ("pedals", r"stretch 5 .*use throttle and brake together"),
        ("holes", r"stretch 5 .*are not whole"),
        ("tired", r"no lap ends as fast as it began, the nearest is \d+\.\d km/h off"),
    ],
)
def test_a_failure_says_where_why_and_what_to_do(gate: CandidateFilter, how: str, says: str) -> None:
    with pytest.raises(ChainError, match=says) as caught:
        run(Worse(how), even_stretches(), Open() if how == "tired" else gate)
    assert "raise chaining.per_entry" in str(caught.value)


@pytest.mark.parametrize(("how", "says"), [("entry", "do not begin at the entry speed"), ("shape", "shape")])
def test_a_source_that_breaks_its_promise_is_found_out(gate: CandidateFilter, how: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        run(Worse(how), even_stretches(), gate)


@given(st.floats(10.0, 60.0), st.integers(0, 15), st.integers(0, 1000))
@settings(deadline=None)
def test_passages_meet_the_entry_and_keep_their_energy(entry_mps: float, number: int, seed: int) -> None:
    stretch = even_stretches()[number]
    found = HumanSource(laps()).propose(stretch, np.array([entry_mps]), 8, np.random.default_rng(seed))
    assert (found[:, :, 0, 0] == entry_mps).all()
    passages = laps().passages(stretch)
    for piece in found[0]:
        offset = piece[:, 0] ** 2 - passages[:, :, 0] ** 2
        fades = (np.abs(offset) <= np.abs(offset[:, :1]) + 1e-6).all(axis=1)
        assert (fades & (piece[:, 1:] == passages[:, :, 1:]).all(axis=(1, 2))).any()


def test_a_passage_driven_is_a_candidate_as_it_is() -> None:
    stretch = even_stretches()[4]
    own = laps().passages(stretch)[2]
    found = HumanSource(laps(), near_mps=1e-3).propose(stretch, own[:1, 0], 1, np.random.default_rng(0))
    np.testing.assert_allclose(found[0, 0], own, atol=1e-9)
