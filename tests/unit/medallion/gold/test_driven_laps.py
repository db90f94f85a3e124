"""Laps that are being driven wait until they are over, nothing more happens to them, or the end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medallion.gold.refresh.driven_laps import LONGEST_S, PutOff, Waiting, laps_being_driven
from medallion.gold.timed_laps import TimedLap
from medallion.keys import LapKey

LAP, NEXT, OTHER = (LapKey(*key) for key in (("s", "v", 3), ("s", "v", 4), ("t", "v", 1)))
LAPS = st.frozensets(st.builds(LapKey, st.sampled_from("st"), st.sampled_from("vw"), st.integers(1, 3)))


def test_the_last_lap_is_driven_until_it_is_over_and_so_is_what_comes_after() -> None:
    vehicle, before = ("s", "v"), LapKey("s", "v", 2)
    unfinished = {vehicle: [TimedLap(before), TimedLap(LAP, is_complete=False)]}
    assert laps_being_driven(unfinished, {before}) == {LAP}
    finished = {vehicle: [TimedLap(before), TimedLap(LAP)]}
    assert laps_being_driven(finished, {before, LAP, NEXT}) == {NEXT}
    assert laps_being_driven({}, {LAP, OTHER}) == {LAP, OTHER}  # no lap of these cars is known yet


def test_a_driven_lap_waits_and_is_due_once_it_is_over() -> None:
    first = Waiting({}, 100.0).put_off({LAP}, {LAP}, {"s"})
    assert first == PutOff(frozenset(), {LAP: 100.0})
    assert first.select({LAP, OTHER}) == {OTHER}
    second = Waiting(first.later, 110.0).put_off({NEXT}, {NEXT}, {"s"})
    assert second == PutOff({LAP}, {NEXT: 110.0})
    assert second.select({NEXT}) == {LAP}


def test_a_lap_that_nothing_happens_to_is_due_after_a_while() -> None:
    early, late = 100.0 + LONGEST_S - 1, 100.0 + LONGEST_S
    assert Waiting({LAP: 100.0}, early).put_off(set(), {LAP}, {"s"}) == PutOff(frozenset(), {LAP: 100.0})
    assert Waiting({LAP: 100.0}, early).put_off({LAP}, {LAP}, {"s"}).later == {LAP: early}
    assert Waiting({LAP: 100.0}, late).put_off(set(), {LAP}, {"s"}) == PutOff({LAP}, {})
    assert [Waiting({LAP: 100.0}, now).is_due for now in (early, late, None)] == [False, True, True]
    assert not Waiting({}).is_due
    assert Waiting({OTHER: 100.0}, early).put_off(set(), {LAP}, {"s"}).later == {OTHER: 100.0}


def test_without_a_time_nothing_waits_any_more() -> None:
    assert Waiting({LAP: 100.0}).put_off({NEXT}, {NEXT}, {"s"}) == PutOff({LAP}, {})


@given(st.lists(st.tuples(LAPS, LAPS, st.floats(0, 100)), max_size=6))
def test_every_changed_lap_is_computed_after_its_last_change(steps: list[tuple[frozenset[LapKey], ...]]) -> None:
    now, later, stale = 0.0, {}, set()
    for changed, driven, pause_s in steps:
        now += pause_s
        stale |= changed
        put_off = Waiting(later, now).put_off(changed, driven, {"s", "t"})
        stale -= put_off.select(changed)
        later = put_off.later
        assert stale == later.keys()
    assert not stale - Waiting(later).put_off(set(), set(), ()).select(set())
