"""How far lap features move when channels come as seldom as real cars send them: ``python -m benchmarks.thinning``.

Simulated laps at 50 Hz, with sensor noise, are thinned to what GR Cup cars send: speed and engine speed at 4.6 Hz, the
rest at 23 Hz, never at the same instants. A feature's move is told as a share of its own value, and of its spread
between laps: under one half, laps still stand apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis.laps.features import LAP_CHANNELS, LapFeatures, compute_lap_features
from analysis.laps.load_events import load_event_features
from analysis.laps.load_integrals import load_integral_features
from analysis.signals.held import HeldSignal
from producers.simulator.config import CarFault, DataFaults, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator

FULL_HZ, FAST_HZ, SLOW_HZ = 50.0, 23.0, 4.6
SLOW = ("speed_kmh", "rpm")
TRACKS = ("three-oaks", "alder-ridge")
OLDER = ("over_rev_s", "gear_shift_count", "harsh_downshift_count", "brake_energy_proxy", "lateral_load_integral")


@dataclass(frozen=True)
class Move:
    """How far a feature moves when laps are thinned.

    Attributes:
        feature: Its name.
        mean: Its mean over the laps at the full rate.
        bias: Mean move as a share of that; NaN where that is zero.
        of_value: Median size of the move as a share of the lap's own value; NaN where most are zero.
        of_spread: Root mean square move as a share of the standard deviation between laps.
        correlation: Between laps at the full rate and thinned.
    """

    feature: str
    mean: float
    bias: float
    of_value: float
    of_spread: float
    correlation: float


def simulated(cars: int = 8, laps: int = 3, seed: int = 11) -> list[pl.DataFrame]:
    """Whole laps of grids with car_faults of every kind, at the full rate."""
    car_faults = (
        CarFault(kind="dragging_brake", at_m=0, size=3, car=1, lap=2),
        CarFault(kind="missed_downshift", at_m=600, size=2, car=2, lap=2),
        CarFault(kind="missed_downshift", at_m=600, size=3, car=3, lap=3),
        CarFault(kind="kerb_strike", at_m=500, size=60, car=4, lap=2),
        CarFault(kind="kerb_strike", at_m=900, size=40, car=4, lap=3),
        CarFault(kind="kerb_strike", at_m=900, size=80, car=5, lap=3),
        CarFault(kind="over_rev", at_m=0, size=1_200, car=6),
    )
    faults = DataFaults.none().model_copy(update={"noise": 1.0})
    out = []
    for track in TRACKS:
        settings = SimulatorConfig(
            n_cars=cars,
            n_laps=laps,
            seed=seed,
            track=track,
            rate_hz=FULL_HZ,
            data_faults=faults,
            setups="varied",
            car_faults=car_faults,
        )
        samples = VehicleSimulator(settings).to_polars()
        out += samples.partition_by("vehicle_id", "lap_number", maintain_order=True)
    return out


def thinned(lap: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """A lap as a car would send it: each rate has instants of its own, and no reading in between."""
    fast, due = (_kept(lap.height, rate_hz, rng) for rate_hz in (FAST_HZ, SLOW_HZ))
    slow = (due & ~fast) | (np.roll(due & fast, 1) & ~fast)  # an instant that is taken already: the next one
    return lap.with_columns(
        **{
            name: pl.when(pl.Series(slow if name in SLOW else fast))
            .then(pl.col(name).cast(pl.Float64))
            .otherwise(np.nan)
            for name in LAP_CHANNELS
        }
    )


def _kept(n: int, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    step = FULL_HZ / rate_hz
    keep = np.zeros(n, dtype=bool)
    keep[np.minimum(np.arange(rng.uniform(0.0, step), n, step).astype(int), n - 1)] = True
    return keep


def features_of(lap: pl.DataFrame) -> LapFeatures:
    t_us = lap["t_us"].to_numpy()
    channels = {name: lap[name].cast(pl.Float64).to_numpy() for name in LAP_CHANNELS}
    return compute_lap_features(t_us / 1e6, channels, float(t_us[0]) / 1e6, float(t_us[-1]) / 1e6)


def moves(laps: list[pl.DataFrame], seed: int = 0) -> list[Move]:
    """Moves of every stress feature, and of older ones of their kind."""
    rng = np.random.default_rng(seed)
    full = pl.DataFrame([features_of(lap) for lap in laps])
    thin = pl.DataFrame([features_of(thinned(lap, rng)) for lap in laps])
    return [_move(name, full[name], thin[name]) for name in names()]


def names() -> list[str]:
    """Features that are judged: the stress integrals, the shocks, and older ones of their kind."""
    none = np.empty(0, np.int64)
    nothing = dict.fromkeys(LAP_CHANNELS, HeldSignal(none, none, np.empty(0)))
    return [
        *load_integral_features(nothing, 1.0),
        "over_rev_rpm_s",
        "distance_km",
        *load_event_features(nothing, nothing, 0, 1, 1.0),
        *OLDER,
    ]


def _move(name: str, full: pl.Series, thin: pl.Series) -> Move:
    before, after = (values.cast(pl.Float64).to_numpy() for values in (full, thin))
    by, spread, mean = after - before, before.std(), before.mean()
    own = np.abs(by[before != 0.0] / before[before != 0.0])
    seldom = np.count_nonzero(before) < len(before) / 2
    together = float(np.corrcoef(before, after)[0, 1]) if spread > 0 and after.std() > 0 else np.nan
    return Move(
        name,
        float(mean),
        float(by.mean() / mean) if mean else np.nan,
        np.nan if seldom else float(np.median(own)),
        float(np.sqrt(np.mean(by**2)) / spread) if spread > 0 else np.nan,
        together,
    )


def table(found: list[Move]) -> str:
    """The moves as a table in Markdown."""
    rows = [
        f"| `{m.feature}` | {m.mean:.3g} | {_pct(m.bias)} | {_pct(m.of_value)} | {m.of_spread:.2f} | "
        f"{m.correlation:.3f} |"
        for m in found
    ]
    head = "| feature | mean | mean move | median move of a lap | move / spread between laps | correlation |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def _pct(share: float) -> str:
    return "" if np.isnan(share) else f"{100.0 * share:+.1f} %"


def main() -> None:
    laps = simulated()
    print(f"{len(laps)} laps on {', '.join(TRACKS)}\n\n{table(moves(laps))}")


if __name__ == "__main__":
    main()
