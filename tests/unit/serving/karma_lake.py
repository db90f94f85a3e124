"""Rows of ``gold.karma_scores`` as a scoring job has them, made up: wear with noise, a kerb strike, laps unscored."""

from __future__ import annotations

from collections.abc import Mapping
from math import log2
from typing import Any

import numpy as np

from conf.karma import load_karma_rules
from conf.settings import AppConfig
from conf.tables import GOLD_KARMA_SCORES, SILVER_LAPS
from serving.queries.karma import COMPONENTS, OVERALL
from tests.unit.serving.race_lake import write_rows

Row = dict[str, Any]

HEAT = ("brake_temp_mean_c", "brake_temp_braking_c", "brake_temp_max_c", "engine_temp_mean_c", "engine_heat_factor")
TORQUE = ("torque_power_mean_nm", "torque_fatigue_nm", "engine_load_mean")
LAP_KM = 3.7
OUT_LAP = "0.92 km were driven, and the laps of this session are 3.70 km long"
GAP = "telemetry covers 71% of the lap, and 80% are needed"

# Share of a life a kilometre at which karma is 50; what a car of its class does on a usual lap, as a multiple of it.
REFERENCES = {"engine": 1.5e-4, "gearbox": 2.2e-4, "brakes": 1.1e-3, "tyres": 3.2e-3, "suspension": 3.0e-4}
USUAL = {"engine": 0.72, "gearbox": 0.85, "brakes": 1.05, "tyres": 0.95, "suspension": 0.60}
FACTORS = {
    "engine": ("revs", "acceleration"),
    "gearbox": ("shifts", "acceleration"),
    "brakes": ("braking", "speed"),
    "tyres": ("cornering", "braking"),
    "suspension": ("knocks", "cornering"),
}


def karma_rows(
    session: str = "made-R1",
    vehicle: str = "GR86-002-2",
    *,
    n_laps: int = 8,
    seed: int = 7,
    kerb_lap: int | None = None,
    unscored: Mapping[int, str] | None = None,
    missing: tuple[str, ...] = HEAT,
    outside: Mapping[int, tuple[str, ...]] | None = None,
) -> list[Row]:
    """Six rows a lap. Pace settles over the first laps; the brakes are worked harder lap by lap."""
    rng = np.random.default_rng(seed)
    unscored, outside = unscored or {}, outside or {}
    scores: dict[str, list[float]] = {name: [] for name in (*COMPONENTS, OVERALL)}
    wears: dict[str, list[float]] = {name: [] for name in COMPONENTS}
    total = dict.fromkeys(COMPONENTS, 0.0)
    rows = []
    for lap in range(1, n_laps + 1):
        time_ms = round(99_200 + 900 * np.exp(-(lap - 1) / 1.5) + 25 * lap + rng.normal(0, 180))
        here = {
            "session_id": session,
            "vehicle_id": vehicle,
            "lap_number": lap,
            "lap_time_ms": time_ms,
            "distance_km": LAP_KM,
            "lap_end_ts": 1_700_000_000_000_000 + lap * 99_500_000,
            "is_synthetic": True,
            "algorithm": "random_forest",
            "model_version": "3",
            "mlflow_run_id": "7c1f0d2a9b",
            "channel_set": "no_heat",
            "missing_inputs": list(missing),
            "outside_inputs": list(outside.get(lap, ())),
            "applicability": 1.0 - len(outside.get(lap, ())) / 40,
        }
        wear = {name: USUAL[name] * float(np.exp(rng.normal(0, 0.13))) for name in COMPONENTS}
        wear["brakes"] *= 1 + 0.025 * lap
        if lap == kerb_lap:
            wear["suspension"] *= 6.5
            wear["tyres"] *= 1.15
        if lap in unscored:
            why = {"not_scored_reason": unscored[lap], "channel_set": None, "applicability": None}
            rows += [here | why | {"component": name, "missing_inputs": []} for name in (*COMPONENTS, OVERALL)]
            continue
        own = {name: 100 * 2 ** -wear[name] for name in COMPONENTS}
        for name in COMPONENTS:
            width = 0.16 if missing else 0.09
            scores[name].append(own[name])
            wears[name].append(wear[name])
            rate = wear[name] * REFERENCES[name]
            total[name] += rate * LAP_KM
            recent = float(np.mean(wears[name][-5:])) * REFERENCES[name] * LAP_KM
            remaining = (1 - total[name]) / recent
            percents = _percents(name, wear[name], kerb=lap == kerb_lap)
            rows.append(
                here
                | {
                    "component": name,
                    "karma_score": own[name],
                    "karma_low": 100 * 2 ** -(wear[name] * (1 + width)),
                    "karma_high": 100 * 2 ** -(wear[name] * (1 - width)),
                    "damage_per_km": rate,
                    "lap_damage": rate * LAP_KM,
                    "lap_damage_low": rate * LAP_KM * (1 - width),
                    "lap_damage_high": rate * LAP_KM * (1 + width),
                    "cumulative_damage": total[name],
                    "laps_counted": len(scores[name]),
                    "trend": _slope(scores[name]),
                    "remaining_laps": remaining,
                    "remaining_laps_low": remaining * (1 - 1.1 * width),
                    "remaining_laps_high": remaining * (1 + 1.4 * width),
                    "top_factors": [{"feature": f, "contribution": p} for f, p in percents.items()],
                    "factors_text": _in_words(percents),
                }
            )
        values = [*own.values(), min(own.values())]
        overall = float(np.mean(values))
        scores[OVERALL].append(overall)
        spread = 0.11 * overall * log2(100 / overall)
        rows.append(
            here
            | {
                "component": OVERALL,
                "karma_score": overall,
                "karma_low": overall - spread,
                "karma_high": overall + spread,
                "laps_counted": len(scores[OVERALL]),
                "trend": _slope(scores[OVERALL]),
                "top_factors": [],
            }
        )
    return rows


def _percents(name: str, wear: float, *, kerb: bool) -> dict[str, float]:
    """Factors of a lap, the largest first."""
    change = 100 * (wear / USUAL[name] - 1)
    first, second = FACTORS[name]
    if kerb and name == "suspension":
        return {"knocks": 0.95 * change, "cornering": 4.0}
    return {first: 0.7 * change, second: 0.3 * change}


def _in_words(percents: Mapping[str, float]) -> str:
    factors = load_karma_rules().factors
    return ", ".join(f"{factors[f].more if p > 0 else factors[f].less} {p:+.0f} %" for f, p in percents.items())


def _slope(values: list[float]) -> float | None:
    last = values[-5:]
    return float(np.polyfit(range(len(last)), last, 1)[0]) if len(last) > 2 else None


def write_karma(settings: AppConfig) -> None:
    """Two cars: number 2 in two sessions, with a kerb strike and two laps unscored in the first; number 46 in one."""
    unscored = {1: OUT_LAP, 5: GAP}
    write_rows(
        settings,
        GOLD_KARMA_SCORES,
        karma_rows("made-R1", kerb_lap=6, unscored=unscored, outside={6: ("impact_max_g",)}),
    )
    write_rows(settings, GOLD_KARMA_SCORES, karma_rows("made-R2", n_laps=3, seed=8, missing=()))
    write_rows(settings, GOLD_KARMA_SCORES, karma_rows("made-R1", "GR86-010-46", seed=9, missing=HEAT + TORQUE))
    cars = (("made-R1", "GR86-002-2", 2), ("made-R2", "GR86-002-2", 2), ("made-R1", "GR86-010-46", 46))
    names = ("session_id", "vehicle_id", "vehicle_number")
    write_rows(settings, SILVER_LAPS, [dict(zip(names, car, strict=True)) | {"lap_number": 1} for car in cars])
