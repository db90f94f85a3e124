"""Laps driven by a formula round a made track, as profiles and windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from analysis.segmentation.segmentation import SegmentedTrack
from analysis.segmentation.stretches import TrackStretch, split_into_stretches
from analysis.segmentation.zones import Microsector, ZoneType
from ml.ghost.scaler import Scaler, fit_scaler
from ml.ghost.windows import LapProfile

PIECE_M, LEAST_M = 10.0, 100.0
ROUND: tuple[tuple[ZoneType, float], ...] = (
    ("Straight", 300.0),
    ("Braking", 120.0),
    ("Turn", 200.0),
    ("Straight", 200.0),
    ("Braking", 100.0),
    ("Turn", 160.0),
)
_SPEED_KMH = {"Straight": 180.0, "Braking": 120.0, "Turn": 80.0}


@dataclass(frozen=True)
class Made:
    track: SegmentedTrack
    stretches: tuple[TrackStretch, ...]
    profiles: list[LapProfile]
    scaler: Scaler
    scaler_file: bytes

    @property
    def tracks(self) -> dict[str, tuple[SegmentedTrack, tuple[TrackStretch, ...]]]:
        return {"made": (self.track, self.stretches)}


def made_track() -> SegmentedTrack:
    pieces: list[Microsector] = []
    at = 0.0
    for zone, (kind, length_m) in enumerate(ROUND):
        for _ in range(round(length_m / PIECE_M)):
            pieces.append(Microsector(len(pieces), zone, kind, at, at + PIECE_M, 1))
            at += PIECE_M
    speed = np.array([_SPEED_KMH[p.kind] for p in pieces]) / 3.6
    smooth = np.convolve(np.concatenate([speed[-5:], speed, speed[:5]]), np.ones(11) / 11, "valid")
    bend = np.array([0.01 if p.kind == "Turn" else 0.0 for p in pieces])
    return SegmentedTrack(tuple(pieces), bend, smooth * 1.03, smooth, smooth)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Networks this small are slower on several, most of all beside other tests."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def made() -> Made:
    """Twelve laps that differ in pace, and where they brake."""
    from ml.ghost.scaler import scaler_to_bytes

    track, rng = made_track(), np.random.default_rng(0)
    at = np.arange(0.0, track.length_m + 1.0, 2.5)
    starts = np.array([p.start_m for p in track.pieces])
    laps = []
    for _ in range(12):
        pace, late_m = rng.uniform(0.94, 1.0), rng.uniform(-8.0, 8.0)
        speed = pace * 3.6 * np.interp(at - late_m, starts, track.entry_mps, period=track.length_m)
        slope = np.gradient(speed)
        throttle, brake = np.where(slope > -0.2, 100.0, 0.0), np.where(slope < -0.5, -20.0 * slope, 0.0)
        steering = 3000.0 * np.interp(at, starts, track.curvature_per_m)
        laps.append(np.stack([speed, throttle, brake, steering], axis=1))
    scaler = fit_scaler(np.concatenate(laps))
    profiles = [LapProfile(f"s/car/{k}", "made", at, scaler.normalise(lap)) for k, lap in enumerate(laps)]
    return Made(track, split_into_stretches(track.pieces, LEAST_M), profiles, scaler, scaler_to_bytes(scaler))
