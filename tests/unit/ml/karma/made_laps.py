"""Laps drawn by chance whose wear follows a formula, so that what a model is to find is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from conf.karma import load_karma_rules
from conf.wear import COMPONENTS
from ml.karma.dataset import KEY, track_split
from ml.karma.inputs import PER_KM
from ml.karma.score_laps import scoring_columns

RULES = load_karma_rules()
INPUTS = tuple(name for group in RULES.inputs.values() for name in group)
SELDOM = ("over_rev_rpm_s", "over_rev_peak_rpm", "skipped_gear_count")
PARTS = 0.06  # spread of the logarithm between parts, which no feature tells


def tracks_of(split: str, count: int) -> list[str]:
    """The first drawn circuits whose laps belong to a part."""
    return [name for name in (f"drawn-{i}" for i in range(1, 200)) if track_split(name) == split][:count]


def made_laps(tracks: Sequence[str], cars: int, laps: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Laps as ``gold.lap_features`` has them, with ``track_id``, and the truth about them; one session a track."""
    parts = [_session(track, cars, laps, np.random.default_rng([seed, *track.encode()]), seed) for track in tracks]
    found, truth = (pd.concat(frames, ignore_index=True) for frames in zip(*parts, strict=True))
    return found, truth


def _session(track: str, cars: int, laps: int, rng: np.random.Generator, seed: int):
    n = cars * laps
    car = np.repeat(np.arange(cars), laps)
    frame = pd.DataFrame(
        {
            "session_id": f"{track}-{seed}",
            "track_id": track,
            "vehicle_id": [f"car-{c + 1}" for c in car],
            "lap_number": np.tile(np.arange(1, laps + 1), cars),
            "coverage": 0.99,
            "is_synthetic": True,
            "lap_time_ms": 90_000 + rng.integers(0, 9_000, n),
            "distance_km": rng.uniform(2.0, 4.5),
        }
    )
    frame["lap_end_ts"] = pd.Timestamp("2025-09-06") + pd.to_timedelta(frame["lap_number"] * 95, unit="s")
    for name in INPUTS:
        # Tracks differ most, then drivers, then laps.
        z = 0.7 * rng.normal() + 0.6 * rng.normal(size=cars)[car] + 0.4 * rng.normal(size=n)
        value = 200.0 + 40.0 * z if name.endswith("_c") else np.exp(0.3 * z)
        frame[name] = value * np.where(name in PER_KM, frame["distance_km"], 1.0)
    for name in SELDOM:
        frame[name] *= rng.uniform(size=n) < 0.1
    damage = damage_per_km(frame)
    factors = np.exp(PARTS * rng.normal(size=(cars, len(COMPONENTS))))
    truth = [
        frame[KEY].assign(
            component=name, part_factor=factors[car, c], damage_per_km=factors[car, c] * damage[name], is_complete=True
        )
        for c, name in enumerate(COMPONENTS)
    ]
    return frame[[*scoring_columns(RULES), "track_id"]], pd.concat(truth)


def damage_per_km(laps: pd.DataFrame) -> dict[str, pd.Series]:
    """What a part of the usual kind takes: powers of stresses, exponential in heat, and a bend."""
    reference = RULES.reference("gr86-cup")
    knocks = laps["impact_sum_g"] / laps["distance_km"]
    share = {
        "engine": laps["rpm_power_mean"] ** 3 * 2.0 ** ((laps["engine_temp_mean_c"] - 200.0) / 60.0),
        "gearbox": laps["torque_power_mean_nm"] ** 2 * laps["drive_work_g2"],
        "brakes": laps["brake_power_rms"] ** 1.5 * 2.0 ** ((laps["brake_temp_mean_c"] - 200.0) / 40.0),
        "tyres": laps["grip_work_g2"] * np.maximum(laps["grip_work_g2"], 1.0) ** 2,  # no line follows that
        "suspension": laps["lateral_fatigue_g"] ** 2.5 * knocks**0.5,
    }
    return {name: reference[name] * values for name, values in share.items()}
