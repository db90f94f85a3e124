"""Places have the names that drivers use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.coaching.insights import CoachingPlace
from analysis.coaching.place_names import section_name
from analysis.tracks.circuit import circuit_from_track, name_corners
from conf.track import load_track

CIRCUIT = name_corners(
    circuit_from_track(load_track("three-oaks")), {3: "Mill"}
)  # apexes at 331, 530, 890, 1120, 1559 m ...


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (CoachingPlace("Braking", 210.0, 390.0), "T1"),
        (CoachingPlace("Braking", 790.0, 945.0), "T3 Mill"),
        (CoachingPlace("Turn", 300.0, 600.0), "T1-T2"),
        (CoachingPlace("Braking", 780.0, 850.0), "T3 Mill"),
        (CoachingPlace("Braking", 2_700.0, 2_900.0), "T1"),
        (CoachingPlace("Straight", 1_200.0, 1_424.0), "T4 to T5"),
        (CoachingPlace("Straight", 0.0, 210.0), "line to T1"),
        (CoachingPlace("Straight", 2_700.0, 2_985.0), "T7 to line"),
    ],
)
def test_names(place: CoachingPlace, name: str) -> None:
    assert section_name(place, CIRCUIT) == name


def test_without_corners_a_place_is_its_metres() -> None:
    assert section_name(CoachingPlace("Turn", 1_234.4, 1_300.0), replace(CIRCUIT, corners=())) == "1,234 m"
