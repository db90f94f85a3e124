"""Zones of made laps and real ones: they cover the track, and brake where the track brakes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.laps.distance import place_samples
from analysis.laps.trace import LapTrace
from analysis.segmentation.zones import TYPES, Zone, ZoneError, cut_microsectors, find_zones, merge_short_zones
from analysis.track_build.from_positions import build_from_positions
from analysis.tracks.circuit import Circuit, circuit_from_track
from conf.ghost import load_ghost_rules
from conf.track import load_track, track_names
from tests.unit.analysis import real_laps
from tests.unit.analysis.made_laps import drive, pace_of

RULES = load_ghost_rules()


def made(name: str) -> tuple[LapTrace, Circuit]:
    circuit = circuit_from_track(load_track(name))
    lap = drive(circuit, pace_of(circuit))
    return place_samples(lap.t_s, lap.channels, lap.lap_time_s, circuit), circuit


def check(zones: tuple[Zone, ...], circuit: Circuit) -> None:
    assert zones[0].start_m == 0.0
    assert zones[-1].end_m == pytest.approx(circuit.length_m)
    for one, two in pairwise(zones):
        assert one.end_m == two.start_m
        assert one.kind != two.kind
    # Only a zone that the line cuts in two may be shorter.
    assert all(zone.length_m >= RULES.shortest_zone_m - 1.0 for zone in zones[1:-1])


@pytest.mark.parametrize("name", track_names())
def test_zones_cover_the_track(name: str) -> None:
    lap, circuit = made(name)
    zones = find_zones(lap, circuit, RULES)
    check(zones, circuit)
    pieces = cut_microsectors(zones, circuit, RULES.longest_microsector_m)
    assert 100 < len(pieces) < 1000
    assert [p.number for p in pieces] == list(range(len(pieces)))
    assert all(0 < p.end_m - p.start_m <= RULES.longest_microsector_m + 1e-6 for p in pieces)
    assert all(zones[p.zone].kind == p.kind for p in pieces)
    assert sum(p.end_m - p.start_m for p in pieces) == pytest.approx(circuit.length_m)
    assert {p.sector for p in pieces} == set(range(1, len(circuit.sector_ends_m) + 2))


@pytest.mark.parametrize("race", ["barber", "indianapolis"])
def test_real_zones_brake_before_corners(race: str, data_dir: Path) -> None:
    laps = getattr(real_laps, race)(data_dir)
    circuit = build_from_positions([lap.trace() for lap in laps], race).circuit
    best = min(laps, key=lambda lap: lap.lap_time_s)
    zones = find_zones(best.trace(circuit), circuit, RULES)
    check(zones, circuit)
    assert 100 < len(cut_microsectors(zones, circuit, RULES.longest_microsector_m)) < 1000
    braking = [zone for zone in zones if zone.kind == "Braking"]
    assert 4 <= len(braking) <= 14
    apexes = [corner.apex_m for corner in circuit.corners]
    ahead = [min((apex - zone.start_m) % circuit.length_m for apex in apexes) for zone in braking]
    assert max(ahead) < 400.0


def test_without_pressure_the_speed_tells() -> None:
    lap, circuit = made("three-oaks")
    with_it = find_zones(lap, circuit, RULES)
    without = {k: v for k, v in lap.channels.items() if not k.startswith("brake")}
    zones = find_zones(replace(lap, channels=without), circuit, RULES)
    check(zones, circuit)
    counts = [sum(zone.kind == "Braking" for zone in found) for found in (with_it, zones)]
    assert abs(counts[0] - counts[1]) <= 2


def test_a_lap_that_never_brakes_is_refused() -> None:
    lap, circuit = made("three-oaks")
    slow = {k: np.zeros_like(v) if k.startswith("brake") else v for k, v in lap.channels.items()}
    if not any(k.startswith("brake") for k in slow):
        slow["brake_front_bar"] = np.zeros_like(lap.t_s)
    with pytest.raises(ZoneError, match="Braking"):
        find_zones(replace(lap, channels=slow), circuit, RULES)
    with pytest.raises(ZoneError, match="no speed"):
        find_zones(replace(lap, channels={}), circuit, RULES)


@given(st.lists(st.floats(5.0, 300.0), min_size=2, max_size=40), st.floats(50.0, 200.0))
@settings(max_examples=100)
def test_joined_zones_are_long_enough_and_cover_the_same(lengths: list[float], least_m: float) -> None:
    edges = np.concatenate([[0.0], np.cumsum(lengths)])
    zones = [Zone(TYPES[k % 3], a, b) for k, (a, b) in enumerate(pairwise(edges))]
    joined = merge_short_zones(zones, least_m)
    assert joined[0].start_m == 0.0
    assert joined[-1].end_m == edges[-1]
    assert all(a.end_m == b.start_m for a, b in pairwise(joined))
    if edges[-1] >= least_m:
        assert all(zone.length_m >= least_m - 1e-9 for zone in joined)
