"""Windows of laps on stretches of a track, and the conditions of each stretch for the generator.

A window runs over ``STEPS`` even steps of distance. Beside its four channels stand the conditions: where the road
bends, how fast the limit lap is there, before and after, and how long the stretch is. Stretches are moved and stretched
a little to make more windows of few laps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.segmentation.segmentation import SegmentedTrack, limit_speed_mps, line_curvature_per_m
from analysis.segmentation.stretches import TrackStretch
from analysis.segmentation.zones import TYPES, ZoneType
from conf.arrays import BoolArray, Float32Array, FloatArray, IntArray
from conf.units import KMH_PER_MPS
from ml.ghost.scaler import SPEED, Scaler
from ml.ghost.search.human_laps import STEPS

CONDITIONS = (
    "curvature",
    "limit_speed",
    "limit_slope",
    "limit_speed_in_40_m",
    "limit_speed_in_100_m",
    "limit_speed_30_m_ago",
    "length",
)
LIMIT = CONDITIONS.index("limit_speed")
_BEND_PER_M, _LENGTH_M, _SLOPE = 0.02, 200.0, 20.0  # what is about one
_WIDEST_M, _EPSILON_M = 8.0, 1e-3  # between a profile's points: more, and something is missing there
_VARIANTS, _MOST_MOVED_M, _MOST_STRETCHED = 6, 36.0, 0.1


@dataclass(frozen=True)
class LapProfile:
    """One lap on the ends of its micro-sectors' steps.

    Attributes:
        uid: The lap.
        track: Key of its track among the tracks given.
        distance_m: Distance from the line, shape (n,), rising from 0 to the lap's length.
        values: Normalised channels, shape (n, 4).
    """

    uid: str
    track: str
    distance_m: FloatArray
    values: FloatArray


@dataclass(frozen=True)
class GhostWindows:
    """Windows of one or several kinds.

    Attributes:
        values: Normalised channels, shape (n, STEPS, 4).
        conditions: Shape (n, STEPS, len(CONDITIONS)).
        kind: Zone type of each, shape (n,).
        lap: Index of the lap of each, shape (n,).
        place: Index of the stretch of each, over all tracks, shape (n,).
    """

    values: Float32Array
    conditions: Float32Array
    kind: npt.NDArray[np.str_]
    lap: IntArray
    place: IntArray

    def __len__(self) -> int:
        return len(self.values)

    def take(self, chosen: BoolArray | IntArray) -> GhostWindows:
        """Some of the windows."""
        return GhostWindows(
            self.values[chosen], self.conditions[chosen], self.kind[chosen], self.lap[chosen], self.place[chosen]
        )

    def of(self, kind: ZoneType) -> GhostWindows:
        """Those of one kind."""
        return self.take(self.kind == kind)


def stretch_conditions(track: SegmentedTrack, scaler: Scaler, start_m: float, end_m: float) -> Float32Array:
    """What a generator is told of a stretch, shape (STEPS, len(CONDITIONS))."""
    at = np.linspace(start_m, end_m, STEPS)

    def limit_kmh(ahead_m: float) -> FloatArray:
        return limit_speed_mps(track, at + ahead_m) * KMH_PER_MPS

    limits = (limit_kmh(0.0), limit_kmh(40.0), limit_kmh(100.0), limit_kmh(-30.0))
    return scale_conditions(scaler, line_curvature_per_m(track, at), *limits, end_m - start_m)


def scale_conditions(
    scaler: Scaler,
    curvature_per_m: FloatArray,
    limit_kmh: FloatArray,
    limit_in_40_m_kmh: FloatArray,
    limit_in_100_m_kmh: FloatArray,
    limit_30_m_ago_kmh: FloatArray,
    length_m: float,
) -> Float32Array:
    """What a generator is told of a stretch, from physical units, shape (STEPS, len(CONDITIONS))."""
    here = scaler.speed_n(limit_kmh)
    columns = [
        curvature_per_m / _BEND_PER_M,
        here,
        np.gradient(here) * _SLOPE,
        scaler.speed_n(limit_in_40_m_kmh),
        scaler.speed_n(limit_in_100_m_kmh),
        scaler.speed_n(limit_30_m_ago_kmh),
        np.full(STEPS, length_m / _LENGTH_M),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def physical_conditions(conditions: Float32Array, scaler: Scaler) -> dict[str, FloatArray]:
    """The way back, of many windows: arguments of :func:`scale_conditions` by name, shape (n, STEPS); lengths (n,)."""
    told = dict(zip(CONDITIONS, np.moveaxis(conditions.astype(np.float64), 2, 0), strict=True))

    def kmh(name: str) -> FloatArray:
        return np.asarray(told[name] * scaler.span[SPEED] + scaler.least[SPEED])

    return {
        "curvature_per_m": told["curvature"] * _BEND_PER_M,
        "limit_kmh": kmh("limit_speed"),
        "limit_in_40_m_kmh": kmh("limit_speed_in_40_m"),
        "limit_in_100_m_kmh": kmh("limit_speed_in_100_m"),
        "limit_30_m_ago_kmh": kmh("limit_speed_30_m_ago"),
        "length_m": told["length"][:, 0] * _LENGTH_M,
    }


def cut_windows(
    profiles: Sequence[LapProfile],
    tracks: Mapping[str, tuple[SegmentedTrack, tuple[TrackStretch, ...]]],
    scaler: Scaler,
    *,
    moved: bool,
    seed: int = 0,
) -> GhostWindows:
    """Cut laps into windows.

    Args:
        profiles: The laps.
        tracks: Segmented track and its stretches, by key.
        scaler: The scaler that the laps were normalised by.
        moved: Take each stretch also a little earlier, later, longer and shorter (for training), or as it is.
        seed: Of the moves.
    """
    rng = np.random.default_rng(seed)
    values, told, kinds, laps, places = [], [], [], [], []
    first = 0
    for key, (track, stretches) in sorted(tracks.items()):
        own = [(k, p) for k, p in enumerate(profiles) if p.track == key]
        for stretch in stretches:
            for start_m, end_m in _stretch_variants(stretch, track.length_m, moved, rng):
                at = np.linspace(start_m, end_m, STEPS)
                condition = stretch_conditions(track, scaler, start_m, end_m)
                for k, profile in own:
                    if not _covers_stretch(profile, start_m, end_m):
                        continue
                    read = [np.interp(at, profile.distance_m, profile.values[:, c]) for c in range(4)]
                    values.append(np.stack(read, axis=1))
                    told.append(condition)
                    kinds.append(stretch.kind)
                    laps.append(k)
                    places.append(first + stretch.number)
        first += len(stretches)
    n = len(values)
    return GhostWindows(
        np.array(values, dtype=np.float32).reshape(n, STEPS, 4),
        np.array(told, dtype=np.float32).reshape(n, STEPS, len(CONDITIONS)),
        np.array(kinds, dtype=str),
        np.array(laps, dtype=np.int64),
        np.array(places, dtype=np.int64),
    )


def _stretch_variants(
    stretch: TrackStretch, length_m: float, moved: bool, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """The stretch, and with ``moved`` others about it that lie within the lap."""
    found = [(stretch.start_m, stretch.end_m)]
    for _ in range((_VARIANTS - 1) if moved else 0):
        start = stretch.start_m + rng.uniform(-_MOST_MOVED_M, _MOST_MOVED_M)
        end = start + stretch.length_m * rng.uniform(1.0 - _MOST_STRETCHED, 1.0 + _MOST_STRETCHED)
        if start >= 0.0 and end <= length_m:
            found.append((start, end))
    return found


def _covers_stretch(profile: LapProfile, start_m: float, end_m: float) -> bool:
    """Whether the lap has points all along a stretch."""
    at = profile.distance_m
    first = int(np.searchsorted(at, start_m + _EPSILON_M, side="right")) - 1
    last = int(np.searchsorted(at, end_m - _EPSILON_M, side="left"))
    return first >= 0 and last < len(at) and bool(np.diff(at[first : last + 1]).max() <= _WIDEST_M)


def choose_held_out(n_laps: int, share: float, seed: int) -> BoolArray:
    """Which laps are kept from training, at least one and not all, shape (n_laps,)."""
    n = min(max(1, round(share * n_laps)), n_laps - 1)
    chosen = np.zeros(n_laps, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(n_laps)[:n]] = True
    return chosen


def missing_zone_types(found: GhostWindows) -> list[ZoneType]:
    """Zone types without a window."""
    return [kind for kind in TYPES if not (found.kind == kind).any()]
