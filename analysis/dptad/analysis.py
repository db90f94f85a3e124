"""Run the complete DPTAD analysis on one lap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.dptad.availability import unavailable_rules
from analysis.dptad.even_lap import DptadLap, resample_to_grid
from analysis.dptad.events import DptadEvent, find_events
from analysis.dptad.handling import assess_handling
from analysis.dptad.insights import DptadInsight, explain_events
from analysis.dptad.rules import CATEGORIES, RULES, Category
from analysis.dptad.scores import CategoryScore, overall_score, score_lap
from analysis.dptad.smoothness import measure_roughness
from analysis.dptad.speed import exit_efficiency, find_corner_exits
from analysis.dptad.thresholds import Thresholds
from analysis.laps.features import LapFeatures, compute_lap_features
from analysis.laps.trace import LapTrace
from analysis.signals.held import US_PER_S
from analysis.tracks.circuit import Circuit
from conf.reasons import Refusal

# Columns of gold.lap_features that the literal formulas give (B13-B16).
LITERAL: Final = (
    "brake_smoothness_raw",
    "throttle_smoothness_raw",
    "steering_smoothness_raw",
    "speed_consistency_raw",
    "corner_speed_loss",
    "brake_spike_count",
    "throttle_drop_count",
    "steering_corrections",
)


@dataclass(frozen=True, eq=False)
class LapAnalysis:
    """The result of DPTAD for one lap.

    Attributes:
        scores: Each category's score.
        overall: Mean of those there are.
        events: Incidents in order of time.
        insights: Sentences, dearest first.
        literal: The literal formulas (B13-B16), as in ``gold.lap_features`` with these thresholds.
        reasons: Why a score or a kind of event is missing, by category or event type.
        exit_efficiency: Median over corners of the speed gained from apex to exit over the reference's; ``None``
            without a circuit or references.
        thresholds_label: Version of the thresholds.
        is_calibrated: Whether they are calibrated.
    """

    scores: Mapping[Category, CategoryScore]
    overall: float | None
    events: tuple[DptadEvent, ...]
    insights: tuple[DptadInsight, ...]
    literal: LapFeatures
    reasons: Mapping[str, Refusal]
    exit_efficiency: float | None
    thresholds_label: str
    is_calibrated: bool

    def columns(self) -> dict[str, object]:
        """Columns of ``gold.dptad_scores`` that follow from the lap, by name."""
        names = {c: "speed_consistency" if c == "speed" else f"{c}_smoothness" for c in CATEGORIES}
        of = self.scores
        return {
            **{f"{c}_score": of[c].score for c in CATEGORIES},
            "overall_score": self.overall,
            **{names[c]: of[c].smoothness for c in CATEGORIES},
            **{f"{names[c]}_raw": _known(self.literal[f"{names[c]}_raw"]) for c in CATEGORIES},
            "brake_rate_rms_bar_per_s": of["brake"].roughness,
            "throttle_rate_rms_pct_per_s": of["throttle"].roughness,
            "steering_rate_rms_deg_per_s": of["steering"].roughness,
            "accel_rate_rms_g_per_s": of["speed"].roughness,
            "corner_speed_loss": _known(self.literal["corner_speed_loss"]),
            "corner_speed_retention": _known(self.literal["corner_speed_loss"]),
            "corner_exit_efficiency": self.exit_efficiency,
            "brake_spikes": self.literal["brake_spike_count"],
            "throttle_drops": self.literal["throttle_drop_count"],
            "steering_corrections": self.literal["steering_corrections"],
            **{f"{c}_event_count": of[c].events for c in CATEGORIES},
            "event_count": len(self.events),
            "insights": [one.text for one in self.insights],
            "reasons": {name: refusal.text for name, refusal in self.reasons.items()},
            "thresholds_version": self.thresholds_label,
            "is_calibrated": self.is_calibrated,
        }


def analyse_lap(
    trace: LapTrace,
    circuit: Circuit | None = None,
    thresholds: Thresholds | None = None,
    *,
    start_us: int = 0,
    references: Sequence[LapTrace] = (),
    reference_name: str = "your own best lap",
) -> LapAnalysis:
    """Scores, events and insights of one lap (B12-B18).

    Args:
        trace: The lap. The order of its samples does not matter.
        circuit: Where it was driven; ``None`` leaves corners, phases, sectors and exits out.
        thresholds: What is usual on this track; ``None`` takes the uncalibrated defaults.
        start_us: Start of the lap, microseconds since the epoch: the literal counts are taken on the 10 Hz grid of
            event time, so with it they are those of ``gold.lap_features``. Nothing else depends on it.
        references: Laps of the same circuit that the insights' costs are measured against, their median.
        reference_name: What the insights call them.

    Raises:
        ValueError: If the lap has no sample, or a channel's shape is not that of ``t_s``.
    """
    used = Thresholds() if thresholds is None else thresholds
    lap = resample_to_grid(trace)
    handling = assess_handling(lap)
    events = find_events(lap, handling, circuit, used)
    scores = score_lap(lap, measure_roughness(lap, handling), events, used)
    literal = compute_lap_features(start_us / US_PER_S + np.asarray(trace.t_s), trace.channels, thresholds=used.deltas)
    return LapAnalysis(
        scores=scores,
        overall=overall_score(scores),
        events=events,
        insights=explain_events(events, trace, circuit, references, reference_name),
        literal={name: literal[name] for name in LITERAL},
        reasons=_reasons(scores, unavailable_rules(lap, handling, circuit, used)),
        exit_efficiency=_exit_efficiency(lap, circuit, used),
        thresholds_label=used.label,
        is_calibrated=used.is_calibrated,
    )


def _reasons(scores: Mapping[Category, CategoryScore], silent: Mapping[str, Refusal]) -> dict[str, Refusal]:
    """By category; by event type where none of its rules could judge."""
    out: dict[str, Refusal] = {c: one.reason for c, one in scores.items() if one.reason is not None}
    for rule in RULES:
        if rule.name in silent:
            out[rule.event_type] = silent[rule.name]
    return out


def _exit_efficiency(lap: DptadLap, circuit: Circuit | None, thresholds: Thresholds) -> float | None:
    if circuit is None:
        return None
    seen = find_corner_exits(lap, circuit)
    shares = [exit_efficiency(seen[n][0], thresholds.exits[n]) for n in seen if n in thresholds.exits]
    return float(np.median(shares)) if shares else None


def _known(x: float | int | None) -> float | None:
    return None if x is None or np.isnan(x) else float(x)
