"""Corners by the circuit's own numbers and names: where they are found on a line, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.comparison.corner_metrics import corner_stretches
from analysis.tracks.circuit import Circuit, circuit_from_track
from analysis.tracks.corners import find_corners
from analysis.tracks.official_corners import find_unnumbered_bends, number_corners
from conf.corners import OfficialCorner
from conf.errors import InputError
from conf.track import ArcSpec, StraightSpec, TrackSpec, load_track

OAKS = circuit_from_track(load_track("three-oaks"))


def official(*corners: tuple[int, float] | tuple[int, float, str]) -> tuple[OfficialCorner, ...]:
    return tuple(OfficialCorner(number=c[0], apex_m=c[1], name=c[2] if len(c) > 2 else None) for c in corners)


def with_kink_and_long_bend() -> TrackSpec:
    """Each half has a kink of 10 degrees there and back and ends in an even bend of 180 degrees."""
    half = (
        StraightSpec(straight_m=300),
        ArcSpec(radius_m=300, angle_deg=10),
        StraightSpec(straight_m=100),
        ArcSpec(radius_m=300, angle_deg=-10),
        StraightSpec(straight_m=300),
        ArcSpec(radius_m=100, angle_deg=180),
    )
    return TrackSpec(name="kinks", title="Kinks", width_m=9, sector_ends_m=(), segments=(*half, *half))


def test_found_corners_listed_are_where_they_were() -> None:
    listed = official(*((c.number, c.apex_m) for c in OAKS.corners))
    again = number_corners(OAKS, listed)
    assert [c.number for c in again.corners] == [c.number for c in OAKS.corners]
    for one, two in zip(find_corners(OAKS.line), again.corners, strict=True):
        assert (one.direction, one.entry_m) == (two.direction, pytest.approx(two.entry_m, abs=3))
        assert one.exit_m == pytest.approx(two.exit_m, abs=3)
    assert find_unnumbered_bends(again) == ()


def test_numbers_and_names_are_the_circuits_own_wherever_a_corner_is_named() -> None:
    """Numbers may leave some out, distances may be a bit off, and of a longer lap."""
    longer = 1.05
    apexes = [c.apex_m * longer + (-1) ** k * 20.0 for k, c in enumerate(OAKS.corners)]
    listed = official((2, apexes[0], "Old Oak"), *((k + 4, at) for k, at in enumerate(apexes[1:])))
    named = number_corners(OAKS, listed, length_m=OAKS.length_m * longer)
    assert [c.label for c in named.corners[:2]] == ["T2 Old Oak", "T4"]
    for found, own in zip(named.corners, OAKS.corners, strict=True):
        assert own.entry_m - 5 <= found.apex_m <= own.exit_m + 5
    assert next(stretch.corner.label for stretch in corner_stretches(named)) == "T2 Old Oak"


def test_a_kink_and_a_double_corner_are_corners_where_the_circuit_counts_them() -> None:
    track = with_kink_and_long_bend()
    bare = circuit_from_track(track)
    assert len(bare.corners) == 2
    bend = bare.corners[0]
    third = (bend.exit_m - bend.entry_m) / 3
    own = replace_corners(track, official((1, 326.0), (2, bend.entry_m + third), (3, bend.exit_m - third)))
    kink, first, second = own.corners
    assert kink.direction == "left"
    assert kink.entry_m < 326.0 < kink.exit_m < 400.0
    assert (first.entry_m, second.exit_m) == (pytest.approx(bend.entry_m, abs=8), pytest.approx(bend.exit_m, abs=8))
    middle = (bend.entry_m + bend.exit_m) / 2
    assert first.exit_m == pytest.approx(middle, abs=15)
    assert second.entry_m == pytest.approx(middle, abs=15)
    assert find_unnumbered_bends(own) == (pytest.approx(bare.corners[1].apex_m, abs=160),)


def replace_corners(track: TrackSpec, corners: tuple[OfficialCorner, ...]) -> Circuit:
    return circuit_from_track(track.model_copy(update={"corners": corners}))


def test_one_corner_alone_and_one_over_the_line() -> None:
    alone = number_corners(OAKS, official((9, OAKS.corners[4].apex_m)))
    assert [(c.number, c.entry_m < c.apex_m < c.exit_m) for c in alone.corners] == [(9, True)]
    assert len(find_unnumbered_bends(alone)) == len(OAKS.corners) - 1
    turned = OAKS.line
    shift = round(OAKS.corners[0].apex_m / turned.step_m)
    rolled = replace(
        turned, **{name: np.roll(getattr(turned, name), -shift) for name in ("x_m", "y_m", "curvature_per_m")}
    )
    over = number_corners(replace(OAKS, line=rolled, corners=()), official((1, 2.0)))
    (corner,) = over.corners
    assert corner.exit_m < corner.entry_m


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        (official((1, 60.0)), r"track 'three-oaks': the line does not bend within 60 m of corner 1 at 60 m"),
        (official((1, 9_000.0)), r"corner 1 at 9,000 m lies beyond the lap's 2,\d+ m"),
        (official((2, 300.0), (1, 500.0)), r"corner 1 at 500 m follows corner 2 at 300 m"),
        (official((1, 500.0), (2, 300.0)), r"corner 2 at 300 m follows corner 1 at 500 m"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(corners: tuple[OfficialCorner, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        number_corners(OAKS, corners)
