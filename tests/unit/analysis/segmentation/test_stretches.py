"""Stretches: they cover the lap, end where micro-sectors end, and are long enough to be chained."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analysis.segmentation.stretches import split_into_stretches, zones_from_microsectors
from analysis.segmentation.zones import TYPES, Microsector, Zone

LEAST_M = 100.0


@st.composite
def cut_laps(draw: st.DrawFn) -> tuple[tuple[Zone, ...], tuple[Microsector, ...]]:
    lengths = draw(st.lists(st.floats(30.0, 900.0), min_size=1, max_size=30))
    kinds = [TYPES[k % 3] for k in range(len(lengths))]
    edges = np.concatenate([[0.0], np.cumsum(lengths)])
    zones = tuple(Zone(kind, float(a), float(b)) for kind, (a, b) in zip(kinds, pairwise(edges), strict=True))
    pieces: list[Microsector] = []
    for index, zone in enumerate(zones):
        ends = np.linspace(zone.start_m, zone.end_m, int(np.ceil(zone.length_m / 12.0)) + 1)
        pieces += [
            Microsector(len(pieces) + k, index, zone.kind, float(a), float(b), 1)
            for k, (a, b) in enumerate(pairwise(ends))
        ]
    return zones, tuple(pieces)


@given(cut_laps())
def test_stretches_cover_the_lap_piece_by_piece(lap: tuple[tuple[Zone, ...], tuple[Microsector, ...]]) -> None:
    zones, pieces = lap
    found = split_into_stretches(pieces, LEAST_M)
    assert [n for s in found for n in range(s.first, s.last + 1)] == [p.number for p in pieces]
    assert [s.number for s in found] == list(range(len(found)))
    assert all(s.start_m == pieces[s.first].start_m and s.end_m == pieces[s.last].end_m for s in found)
    if zones[-1].end_m >= LEAST_M:
        assert min(s.length_m for s in found) >= LEAST_M - 1e-6
    assert max(s.length_m for s in found) <= 2.0 * (LEAST_M + 12.0) + 12.0


@given(cut_laps())
def test_zones_are_found_again_in_their_micro_sectors(lap: tuple[tuple[Zone, ...], tuple[Microsector, ...]]) -> None:
    zones, pieces = lap
    again = zones_from_microsectors(pieces)
    assert [z.kind for z in again] == [z.kind for z in zones]
    np.testing.assert_allclose([z.end_m for z in again], [z.end_m for z in zones])


def test_the_kind_is_that_of_most_of_it() -> None:
    pieces = tuple(
        Microsector(k, 0 if k < 3 else 1, "Braking" if k < 3 else "Turn", 12.0 * k, 12.0 * (k + 1), 1)
        for k in range(10)
    )
    (only,) = split_into_stretches(pieces, LEAST_M)
    assert only.kind == "Turn"
