"""What is usual on a track: limits of the rules and scales of the scores, from laps, frozen under a version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from analysis.dptad.rules import CATEGORIES, RULE_OF, RULES, Category
from analysis.dptad.speed import CornerExit
from analysis.laps.features import DeltaThresholds
from conf.errors import InputError

UNCALIBRATED: Final = 0


@dataclass(frozen=True, slots=True)
class RoughnessScale:
    """How rough laps are, by the root mean square of a rate (:mod:`analysis.dptad.smoothness`).

    Attributes:
        usual: Median over laps.
        rough: 95th percentile over laps.
    """

    usual: float
    rough: float


# Medians and 95th percentiles over 48 race laps of eighteen GR86 on two tracks: the order of magnitude for another car.
DEFAULT_SCALES: Final[Mapping[Category, RoughnessScale]] = {
    "brake": RoughnessScale(130.0, 165.0),
    "throttle": RoughnessScale(90.0, 105.0),
    "steering": RoughnessScale(90.0, 110.0),
    "speed": RoughnessScale(0.34, 0.42),
}
SCALE_UNITS: Final[Mapping[Category, str]] = {"brake": "bar/s", "throttle": "%/s", "steering": "deg/s", "speed": "g/s"}
DEFAULT_EVENTS_PER_KM: Final = 1.0
_DELTAS: Final = {
    "brake_spike_bar_per_s": "bar/s",
    "throttle_drop_pct_per_s": "%/s",
    "steering_deg_per_s": "deg/s",
}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """All limits and scales of DPTAD. The defaults are not calibrated and have version 0.

    Attributes:
        track_id: Track; ``None`` where nothing is calibrated.
        version: From 1; 0 is uncalibrated.
        deltas: Literal thresholds of the delta counts (section "Formulas" 1).
        limits: Limit of each rule, in its unit, by its name.
        scales: How rough laps are, by category.
        events_per_km: Events a kilometre that count in full, by category: the 95th percentile over laps.
        exits: Reference speeds by corner number.
        n_laps: Laps calibrated on.
        sessions: Sessions calibrated on.
    """

    track_id: str | None = None
    version: int = UNCALIBRATED
    deltas: DeltaThresholds = field(default_factory=lambda: DeltaThresholds(version=UNCALIBRATED))
    limits: Mapping[str, float] = field(default_factory=lambda: {rule.name: rule.default for rule in RULES})
    scales: Mapping[Category, RoughnessScale] = field(default_factory=lambda: dict(DEFAULT_SCALES))
    events_per_km: Mapping[Category, float] = field(
        default_factory=lambda: dict.fromkeys(CATEGORIES, DEFAULT_EVENTS_PER_KM)
    )
    exits: Mapping[int, CornerExit] = field(default_factory=dict)
    n_laps: int = 0
    sessions: tuple[str, ...] = ()

    @property
    def is_calibrated(self) -> bool:
        """Whether they come from laps of this track."""
        return self.version > UNCALIBRATED

    @property
    def label(self) -> str:
        """``<track_id>-<version>``, or ``uncalibrated``."""
        return f"{self.track_id}-{self.version}" if self.is_calibrated else "uncalibrated"

    def rows(self) -> list[tuple[str, float]]:
        """All quantities as (name, value), to store; :meth:`from_rows` reads them back."""
        out = [(f"delta.{name}", float(getattr(self.deltas, name))) for name in _DELTAS]
        out += [(f"limit.{name}", value) for name, value in self.limits.items()]
        for category in CATEGORIES:
            scale = self.scales[category]
            out += [(f"scale.{category}.usual", scale.usual), (f"scale.{category}.rough", scale.rough)]
            out.append((f"events_per_km.{category}", self.events_per_km[category]))
        for number, speeds in self.exits.items():
            out += [(f"exit.{number}.apex_kmh", speeds.apex_kmh), (f"exit.{number}.exit_kmh", speeds.exit_kmh)]
        return out

    @classmethod
    def from_rows(
        cls,
        track_id: str,
        version: int,
        rows: Iterable[tuple[str, float]],
        n_laps: int = 0,
        sessions: Iterable[str] = (),
    ) -> Thresholds:
        """Thresholds from what :meth:`rows` gave, in any order.

        Raises:
            InputError: If a name is unknown or missing; the message names it.
        """
        left = dict(rows)

        def take(name: str) -> float:
            if name not in left:
                raise InputError(f"thresholds {track_id} version {version}: '{name}' is missing; calibrate again")
            return float(left.pop(name))

        deltas = {name: take(f"delta.{name}") for name in _DELTAS}
        limits = {name: take(f"limit.{name}") for name in RULE_OF}
        scales = {c: RoughnessScale(take(f"scale.{c}.usual"), take(f"scale.{c}.rough")) for c in CATEGORIES}
        rates = {c: take(f"events_per_km.{c}") for c in CATEGORIES}
        numbers = sorted(
            int(name.split(".")[1]) for name in left if name.startswith("exit.") and name.endswith("exit_kmh")
        )
        exits = {n: CornerExit(take(f"exit.{n}.apex_kmh"), take(f"exit.{n}.exit_kmh")) for n in numbers}
        if left:
            raise InputError(f"thresholds {track_id} version {version}: unknown {sorted(left)}; calibrate again")
        return cls(
            track_id,
            version,
            DeltaThresholds(**deltas, version=version),
            limits,
            scales,
            rates,
            exits,
            n_laps,
            tuple(sessions),
        )


def threshold_unit(name: str) -> str:
    """Unit of a quantity by its name in :meth:`Thresholds.rows`.

    Raises:
        ValueError: If the name is none of them.
    """
    match name.split("."):
        case ["delta", delta] if delta in _DELTAS:
            return _DELTAS[delta]
        case ["limit", rule] if rule in RULE_OF:
            return RULE_OF[rule].unit
        case ["scale", category, "usual" | "rough"] if category in SCALE_UNITS:
            return SCALE_UNITS[category]  # type: ignore[index]
        case ["events_per_km", category] if category in SCALE_UNITS:
            return "1/km"
        case ["exit", _, "apex_kmh" | "exit_kmh"]:
            return "km/h"
    raise ValueError(f"'{name}' is no quantity of the thresholds: see Thresholds.rows")
