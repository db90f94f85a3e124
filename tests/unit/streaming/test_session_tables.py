"""Whose clocks and laps are refreshed, and who waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streaming.session_tables import LONGEST_S, SILENT_S, choose_silent, choose_vehicles

A, B = ("s", "a"), ("s", "b")
VEHICLES = st.frozensets(st.tuples(st.sampled_from("st"), st.sampled_from("ab")))


def test_a_car_that_drives_waits_until_timing_names_it() -> None:
    found, later = choose_vehicles({A, B}, {}, {}, 100.0)
    assert (found, later) == ({}, {A: 100.0, B: 100.0})
    assert choose_vehicles({A}, {"s": {"a"}}, later, 105.0) == ({"s": {"a"}}, {B: 100.0})
    assert choose_vehicles((), {"s": set()}, later, 105.0) == ({"s": set()}, later)


def test_no_longer_than_a_while() -> None:
    late = 100.0 + LONGEST_S
    assert choose_vehicles({A, B}, {}, {A: 100.0}, late) == ({"s": {"a"}}, {B: late})
    assert choose_vehicles((), {}, {A: 100.0}, late - 1) == ({}, {A: 100.0})


def test_at_the_end_nobody_waits() -> None:
    assert choose_vehicles({B}, {"t": set()}, {A: 100.0}, None) == ({"s": {"a", "b"}, "t": set()}, {})


@given(st.lists(st.tuples(VEHICLES, VEHICLES, st.floats(0, 30)), max_size=6))
def test_every_car_is_looked_at_after_its_last_sample(steps: list[tuple]) -> None:
    now, later, unseen = 0.0, {}, set()
    for samples, named, pause_s in steps:
        now += pause_s
        unseen |= samples
        timing = {session: {v for s, v in named if s == session} for session, _ in named}
        found, later = choose_vehicles(samples, timing, later, now)
        unseen -= {(session, vehicle) for session, own in found.items() for vehicle in own}
        assert unseen == later.keys()
        assert timing.keys() <= found.keys()
        assert all(now - at < LONGEST_S for at in later.values())
    assert unseen <= {(s, v) for s, own in choose_vehicles((), {}, later, None)[0].items() for v in own}


def test_a_clock_that_stayed_is_restated_once_its_car_is_silent() -> None:
    since = {A: 100.0, B: 100.0}
    assert choose_silent({A}, since, 110.0) == (set(), {A: 110.0, B: 100.0})
    assert choose_silent({A}, since, 100.0 + SILENT_S) == ({B}, {A: 100.0 + SILENT_S})
    assert choose_silent((), since, None) == ({A, B}, {})
    assert choose_silent({A, B}, {}, 110.0) == (set(), {})
