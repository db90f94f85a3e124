"""Circuits drawn by a number: each closes, can be driven, crosses itself nowhere, and is the same for good."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conf.drawn_track import draw_track, parse_drawn_number
from conf.track import ArcSpec, TrackSpec, is_track, load_track
from physics.centre_line import build_centre_line

numbers = st.integers(0, 5_000)


def crosses_itself(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether any two sides of a closed polygon cut each other."""
    a = x + 1j * y
    b = np.roll(a, -1)

    def side(start: np.ndarray, end: np.ndarray, point: np.ndarray) -> np.ndarray:
        """On which side of each line (rows) each point (columns) lies."""
        along, to = (end - start)[:, None], point[None, :] - start[:, None]
        area = along.real * to.imag - along.imag * to.real
        return np.where(np.abs(area) < 1e-6, 0.0, np.sign(area))  # on it, give or take rounding

    straddled = side(a, b, a) * side(a, b, b) < 0
    return bool((straddled & straddled.T).any())


@pytest.mark.parametrize(("shape", "expected"), [("circle", False), ("eight", True)])
def test_a_crossing_would_be_seen(shape: str, expected: bool) -> None:
    t = 2 * np.pi * (np.arange(199) + 0.3) / 199
    assert crosses_itself(np.cos(t), np.sin(2 * t if shape == "eight" else t)) is expected


@given(numbers)
@settings(max_examples=60)
def test_every_circuit_closes_turns_once_and_crosses_itself_nowhere(number: int) -> None:
    line = build_centre_line(load_track(f"drawn-{number}"), 2.0)  # raises where it does not close or turn
    every = max(len(line.s_m) // 200, 1)
    assert not crosses_itself(line.x_m[::every], line.y_m[::every])


@given(numbers)
@settings(max_examples=100)
def test_every_circuit_can_be_driven(number: int) -> None:
    track = load_track(f"drawn-{number}")
    arcs = [piece for piece in track.segments if isinstance(piece, ArcSpec)]
    assert all(14.0 - 1e-9 <= arc.radius_m <= 400.0 + 1e-9 for arc in arcs)
    assert 8 <= len(arcs) <= 16
    assert 1_000 < track.length_m < 9_000
    assert all(a < b for a, b in pairwise((0.0, *track.sector_ends_m, track.length_m)))
    assert len(track.sector_ends_m) == 2
    assert 9.0 <= track.width_m <= 14.0


@given(numbers, numbers)
@example(0, 1)
def test_a_number_stands_for_one_circuit(one: int, other: int) -> None:
    assert draw_track(one) == draw_track(one)
    assert (draw_track(one)["segments"] == draw_track(other)["segments"]) == (one == other)


def test_circuits_run_both_ways_round_and_are_long_and_short() -> None:
    turns = {np.sign(sum(piece.curvature_per_m * piece.length_m for piece in track.segments)) for track in some()}
    lengths = [track.length_m for track in some()]
    assert turns == {-1.0, 1.0}
    assert max(lengths) > 2 * min(lengths)


def some() -> list[TrackSpec]:
    return [load_track(f"drawn-{number}") for number in range(40)]


def test_a_drawn_circuit_is_a_track_like_any_other() -> None:
    track = load_track("drawn-7")
    assert track.name == "drawn-7"
    assert is_track("drawn-7")
    assert is_track("three-oaks")
    assert parse_drawn_number("three-oaks") is None


@pytest.mark.parametrize(
    "name", ["drawn-x", "drawn-", "drawn--1", "drawn-1234567", "drawn-7 ", "drawn-07", "drawn-\u0667"]
)
def test_a_name_that_is_not_quite_one_is_refused_with_the_choices(name: str) -> None:
    assert not is_track(name)
    with pytest.raises(ValueError, match=r"choose one of .*three-oaks, or drawn-1, drawn-2"):
        load_track(name)
