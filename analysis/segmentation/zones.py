"""Braking zones, turns and straights of a track, and the micro-sectors they are cut into (seed items G9 and G10).

A zone is found on a reference lap by physics: it brakes where the pressure says so, it turns where it corners hard
without braking, and the rest is straight. Zones and micro-sectors are stretches of the track, in metres from the line,
the same for every lap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from analysis.laps.distance import time_at_distance_s
from analysis.laps.resample import interpolate_samples
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from conf.arrays import BoolArray, FloatArray, IndexArray
from conf.errors import InputError
from conf.ghost import GhostRules
from conf.units import GRAVITY_MPS2, KMH_PER_MPS
from physics.centre_line import even_grid

ZoneType = Literal["Turn", "Straight", "Braking"]

STRAIGHT, TURN, BRAKING = 0, 1, 2
TYPES: Final[tuple[ZoneType, ...]] = ("Straight", "Turn", "Braking")
_SLOPE_M = 20.0  # over which deceleration is taken where no pressure is known


class ZoneError(InputError):
    """A lap from which no zones can be found; the message says why."""


@dataclass(frozen=True)
class Zone:
    """A stretch of one kind; ``start_m < end_m`` within the lap.

    Attributes:
        kind: What is done there.
        start_m: Distance from the line.
        end_m: Distance from the line.
    """

    kind: ZoneType
    start_m: float
    end_m: float

    @property
    def length_m(self) -> float:
        """Its length."""
        return self.end_m - self.start_m


@dataclass(frozen=True)
class Microsector:
    """A piece of a zone.

    Attributes:
        number: From 0 at the line.
        zone: Index of its zone.
        sector: Official sector that it begins in, from 1.
    """

    number: int
    zone: int
    kind: ZoneType
    start_m: float
    end_m: float
    sector: int


def find_zones(lap: LapTrace, circuit: Circuit, rules: GhostRules) -> tuple[Zone, ...]:
    """Zones of a track from a reference lap; they cover it without gap or overlap.

    Args:
        lap: The reference: a fast, whole lap on the circuit's scale, with speed and if possible brake pressure.
        circuit: The circuit.
        rules: Thresholds.

    Raises:
        ZoneError: If the lap has no speed, or shows but one kind of zone.
    """
    grid = even_grid(circuit.length_m, round(circuit.length_m))
    step_m = circuit.length_m / len(grid)
    at_s = time_at_distance_s(lap, grid / circuit.length_m * lap.end_m)
    speed_mps = _fill_gaps(_read_channels(lap, "speed_kmh", at_s)) / KMH_PER_MPS
    bend = np.interp(grid, circuit.line.s_m, circuit.line.curvature_per_m, period=circuit.length_m)
    across_g = speed_mps**2 * np.abs(bend) / GRAVITY_MPS2
    brakes = _find_braking(_read_channels(lap, "brake_front_bar", at_s), speed_mps, step_m, rules)
    kinds = np.where(brakes, BRAKING, np.where(across_g >= rules.turn_lateral_g, TURN, STRAIGHT))
    kinds = _merge_short_runs(kinds, max(1, round(rules.shortest_zone_m / step_m)))
    edges = np.concatenate([[0], np.flatnonzero(np.diff(kinds)) + 1, [len(kinds)]])
    zones = tuple(Zone(TYPES[kinds[a]], float(a * step_m), float(b * step_m)) for a, b in pairwise(edges))
    found = {zone.kind for zone in zones}
    if len(found) < len(TYPES):
        raise ZoneError(
            f"the reference lap shows no zone of kind {', '.join(sorted(set(TYPES) - found))}: choose a faster lap, or "
            "change the thresholds in conf/ghost.yaml"
        )
    return zones


def cut_microsectors(zones: Sequence[Zone], circuit: Circuit, longest_m: float) -> tuple[Microsector, ...]:
    """Cut zones into equal pieces no longer than ``longest_m``."""
    pieces: list[Microsector] = []
    for index, zone in enumerate(zones):
        n = math.ceil(zone.length_m / longest_m - 1e-9)
        edges = np.linspace(zone.start_m, zone.end_m, n + 1)
        for start, end in pairwise(edges):
            sector = 1 + int(np.searchsorted(circuit.sector_ends_m, start, side="right"))
            pieces.append(Microsector(len(pieces), index, zone.kind, float(start), float(end), sector))
    return tuple(pieces)


def merge_short_zones(zones: Sequence[Zone], least_m: float) -> tuple[Zone, ...]:
    """Merge neighbouring zones until each is at least ``least_m`` long, with the kind of the longest part.

    Short stretches chained or stitched at will would claim time that no car could gain: what is won in one is paid for
    in the next.
    """
    joined: list[list[Zone]] = []
    for zone in zones:
        if joined and sum(z.length_m for z in joined[-1]) < least_m:
            joined[-1].append(zone)
        else:
            joined.append([zone])
    if len(joined) > 1 and sum(z.length_m for z in joined[-1]) < least_m:
        last = joined.pop()
        joined[-1] += last
    return tuple(Zone(max(part, key=lambda z: z.length_m).kind, part[0].start_m, part[-1].end_m) for part in joined)


def _read_channels(lap: LapTrace, channel: str, at_s: FloatArray) -> FloatArray:
    if not lap.has(channel):
        if channel == "speed_kmh":
            raise ZoneError("the reference lap has no speed")
        return np.full(len(at_s), np.nan)
    return interpolate_samples(lap.t_s, lap.channels[channel], at_s)


def _fill_gaps(values: FloatArray) -> FloatArray:
    known = np.isfinite(values)
    return np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])


def _find_braking(pressure_bar: FloatArray, speed_mps: FloatArray, step_m: float, rules: GhostRules) -> BoolArray:
    """Where the car brakes: by pressure, or by the speed's fall over some metres where there is none."""
    reach = max(1, round(_SLOPE_M / step_m / 2.0))
    energy = 0.5 * speed_mps**2
    slope = (np.roll(energy, -reach) - np.roll(energy, reach)) / (2.0 * reach * step_m)
    return np.where(np.isfinite(pressure_bar), pressure_bar >= rules.brake_on_bar, slope <= -rules.brake_on_mps2)


def _merge_short_runs(kinds: IndexArray, shortest: int) -> IndexArray:
    """Shortest run first, give each run that is too short to its longer neighbour; the lap is a ring."""
    kinds = kinds.copy()
    while True:
        turn = _ring_start(kinds)
        if turn is None:
            return kinds
        ring = np.roll(kinds, -turn)
        edges = np.concatenate([[0], np.flatnonzero(np.diff(ring)) + 1, [len(ring)]])
        lengths = np.diff(edges)
        k = int(np.argmin(lengths))
        if lengths[k] >= shortest or len(lengths) < 3:
            return kinds
        before, after = (k - 1) % len(lengths), (k + 1) % len(lengths)
        heir = before if lengths[before] >= lengths[after] else after
        ring[edges[k] : edges[k + 1]] = ring[edges[heir]]
        kinds = np.roll(ring, turn)


def _ring_start(kinds: IndexArray) -> int | None:
    """Where a run begins, so that none reaches over the end; ``None`` for a lap of one kind."""
    starts = np.flatnonzero(kinds != np.roll(kinds, 1))
    return int(starts[0]) if starts.size else None
