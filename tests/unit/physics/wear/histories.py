"""Load histories made up at random: plausible figures, no car behind them."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from conf.vehicle import load_vehicle
from conf.wear import Component, load_wear_rules
from physics.wear.car import CarWear
from physics.wear.history import LoadHistory

SPEC = load_vehicle("gr86-cup")
RULES = load_wear_rules()
MASS_KG = 1_374.0


def made_up(seed: int, n: int = 400) -> LoadHistory:
    rng = np.random.default_rng(seed)

    def slow(low: float, high: float) -> np.ndarray:
        return np.interp(np.arange(n), np.arange(0, n + 20, 20), rng.uniform(low, high, n // 20 + 1))

    return LoadHistory(
        dt_s=1 / 30,
        speed_mps=slow(15, 55),
        rpm=slow(3_000, 7_500),
        engine_torque_nm=slow(-40, 240),
        engine_c=slow(80, 100),
        gear_ratio=rng.choice(SPEC.gear_ratios, n),
        input_torque_nm=slow(-60, 240),
        input_rpm=slow(3_000, 7_500),
        brake_front_n=slow(0, 6_000),
        brake_rear_n=slow(0, 4_000),
        disc_c=slow(150, 500),
        tyre_n=slow(500, 15_000),
        tyre_load_n=slow(13_000, 14_000),
        scrub_n=slow(0, 300),
        wheel_load_n=np.stack([slow(500, 7_000) for _ in range(4)], axis=1),
    )


def scaled(history: LoadHistory, factor: float, *names: str) -> LoadHistory:
    return replace(history, **{name: factor * getattr(history, name) for name in names})


def damage(*pieces: LoadHistory) -> dict[Component, float]:
    car = CarWear(RULES, SPEC, MASS_KG)
    parts = [car.add(piece) for piece in pieces]
    return {name: sum(part[name] for part in parts) for name in parts[0]}


ARRAYS = [f.name for f in fields(LoadHistory) if f.name != "dt_s"]
