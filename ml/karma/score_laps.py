"""Score laps into rows of ``gold.karma_scores``: the one function for batch and stream (K12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from conf.arrays import FloatArray
from conf.karma import KarmaRules
from conf.reasons import ReasonCode, Refusal
from conf.wear import COMPONENTS, Component
from ml.karma.dataset import KEY
from ml.karma.factors import describe_factors, factor_groups, shapley_contributions, to_percent_change
from ml.karma.fitting import FittedKarma
from ml.karma.formula import estimate_remaining_life, karma_score, karma_trend, overall_karma
from ml.karma.inputs import has_all_columns
from ml.karma.model import KarmaModel
from ml.karma.predict import laps_by_set

OVERALL: Final = "overall"
_MOST_FACTORS: Final = 4
_ABOUT: Final = ("lap_end_ts", "lap_time_ms", "distance_km", "is_synthetic")
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class _ModelAnswers:
    """What one set's model says of laps; arrays begin with the lap."""

    set_name: str
    damage_per_km: FloatArray
    factor: FloatArray  # by which damage may be too low or too high
    outside: FloatArray
    percent: FloatArray
    factors: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _LapAnswer:
    """One lap's place in the answers of the set that scored it."""

    answers: _ModelAnswers
    at: int


def scoring_columns(rules: KarmaRules) -> tuple[str, ...]:
    """Columns of ``gold.lap_features`` that scoring reads."""
    inputs = {name for group in rules.inputs.values() for name in group}
    return (*KEY, "coverage", *_ABOUT, *sorted(inputs - {"distance_km"}))


def score_laps(laps: pd.DataFrame, model: KarmaModel, rules: KarmaRules, vehicle: str) -> list[Row]:
    """Score cars' laps; each is scored by what the car sent, and a lap that cannot be scored says why.

    Args:
        laps: All laps of whole sessions of cars: :func:`scoring_columns`.
        model: What scores them.
        rules: ``conf/karma.yaml``.
        vehicle: Whose reference a score is held to: a vehicle of ``conf/karma.yaml``.

    Returns:
        Six rows a lap, the components and ``overall``, sorted by key; columns of ``gold.karma_scores`` but for those
        that name model and run.
    """
    reference = rules.reference(vehicle)
    laps = laps.sort_values(KEY).reset_index(drop=True)
    reasons = find_refusals(laps, model, rules)
    found = _collect_answers(laps, reasons, model, rules)
    rows: list[Row] = []
    for _, own in laps.groupby(["session_id", "vehicle_id"], sort=True):
        rows += _car_rows(own, reasons, found, rules, reference)
    return rows


def find_refusals(laps: pd.DataFrame, model: KarmaModel, rules: KarmaRules) -> dict[int, Refusal]:
    """Laps that cannot be scored, by their place in the frame, and why."""
    last = laps.groupby(["session_id", "vehicle_id"])["lap_number"].transform("max")
    usual_km = laps.groupby(["session_id", "vehicle_id"])["distance_km"].transform("median").astype(float)
    some = np.zeros(len(laps), np.bool_)
    for fitted in model.sets.values():
        some |= has_all_columns(laps, fitted.scaling.columns)
    reasons: dict[int, Refusal] = {}
    for i, lap in enumerate(laps.to_dict(orient="records")):
        coverage, km = _number(lap["coverage"]), _number(lap["distance_km"])
        if not coverage >= rules.least_coverage:
            known = 0.0 if np.isnan(coverage) else coverage
            reasons[i] = Refusal.of(ReasonCode.TELEMETRY_TOO_LITTLE, coverage=known, least=rules.least_coverage)
        elif lap["lap_number"] == last.iloc[i] and pd.isna(lap["lap_time_ms"]):
            reasons[i] = Refusal.of(ReasonCode.LAP_NOT_ENDED)
        elif np.isnan(km):
            reasons[i] = Refusal.of(ReasonCode.DISTANCE_UNKNOWN)
        elif not km > 0 or not km >= rules.least_share_of_lap * usual_km.iloc[i]:
            reasons[i] = Refusal.of(ReasonCode.LAP_NOT_WHOLE, distance_km=km, usual_km=usual_km.iloc[i])
        elif not some[i]:
            least = min(model.sets.values(), key=lambda fitted: len(fitted.scaling.columns))
            missing = _missing(laps, i, least.scaling.columns)
            reasons[i] = Refusal.of(ReasonCode.INPUT_MISSING, inputs=", ".join(missing))
    return reasons


def _collect_answers(
    laps: pd.DataFrame, reasons: Mapping[int, Refusal], model: KarmaModel, rules: KarmaRules
) -> dict[int, _LapAnswer]:
    """Ask each set's model about the laps that no better one could answer."""
    asked = np.array([i not in reasons for i in range(len(laps))], np.bool_)
    found: dict[int, _LapAnswer] = {}
    for part in laps_by_set(laps, asked, model):
        answers = _ask_model(part.name, part.fitted, part.inputs, part.before, rules)
        found |= {int(i): _LapAnswer(answers, at) for at, i in enumerate(part.rows)}
    return found


def _ask_model(
    name: str, fitted: FittedKarma, inputs: FloatArray, before: FloatArray, rules: KarmaRules
) -> _ModelAnswers:
    log_damage, sigma = fitted.answer(inputs, before)
    groups = factor_groups(fitted.scaling.columns, rules.factors)
    values = shapley_contributions(lambda one, more: fitted.answer(one, more)[0], before, groups)
    return _ModelAnswers(
        name,
        np.exp(log_damage),
        np.exp(fitted.spread.reach * sigma),
        fitted.scaling.outside(inputs),
        to_percent_change(values),
        tuple(groups),
        fitted.scaling.columns,
    )


def _car_rows(
    laps: pd.DataFrame,
    reasons: Mapping[int, Refusal],
    found: Mapping[int, _LapAnswer],
    rules: KarmaRules,
    reference: Mapping[Component, float],
) -> Iterator[Row]:
    """Rows of one car in one session, lap by lap: what it adds up to, where it goes, how long parts last."""
    damages: dict[str, list[float]] = {c: [] for c in COMPONENTS}
    scores: dict[str, list[float]] = {c: [] for c in (*COMPONENTS, OVERALL)}
    for i, lap in laps.iterrows():
        about = {name: _plain_value(lap[name]) for name in (*KEY, *_ABOUT)}
        place = int(i)  # type: ignore[call-overload]
        if place in reasons:
            for component in (*COMPONENTS, OVERALL):
                yield about | {"component": component, "not_scored_reason": reasons[place].text}
            continue
        own = found[place]
        missing = _missing(laps.loc[[i]], 0, rules.columns(rules.best_set))
        shared = about | _applicability(own) | {"missing_inputs": missing, "channel_set": own.answers.set_name}
        rows = []
        for c, component in enumerate(COMPONENTS):
            km = float(lap["distance_km"])
            per_km, factor = float(own.answers.damage_per_km[own.at, c]), float(own.answers.factor[own.at, c])
            damages[component].append(per_km * km)
            score, low, high = karma_score([per_km, per_km * factor, per_km / factor], reference[component]).tolist()
            scores[component].append(score)
            rest = estimate_remaining_life(damages[component], factor, rules.rate_laps)
            rows.append(
                shared
                | _reasons(own, c, rules)
                | {
                    "component": component,
                    "karma_score": score,
                    "karma_low": low,
                    "karma_high": high,
                    "damage_per_km": per_km,
                    "lap_damage": per_km * km,
                    "lap_damage_low": per_km * km / factor,
                    "lap_damage_high": per_km * km * factor,
                    "cumulative_damage": sum(damages[component]),
                    "laps_counted": len(damages[component]),
                    "trend": karma_trend(scores[component], rules.rate_laps),
                    "remaining_laps": rest.laps,
                    "remaining_laps_low": rest.low,
                    "remaining_laps_high": rest.high,
                }
            )
        yield from rows
        yield _overall_row(rows, scores[OVERALL], shared, rules)


def _overall_row(rows: Sequence[Row], scores: list[float], shared: Row, rules: KarmaRules) -> Row:
    """The row of the car as a whole: explained by its weakest component."""
    weakest = min(rows, key=lambda row: row["karma_score"])
    scores.append(overall_karma([row["karma_score"] for row in rows]))
    return shared | {
        "component": OVERALL,
        "karma_score": scores[-1],
        "karma_low": overall_karma([row["karma_low"] for row in rows]),
        "karma_high": overall_karma([row["karma_high"] for row in rows]),
        "laps_counted": len(scores),
        "trend": karma_trend(scores, rules.rate_laps),
        "top_factors": weakest["top_factors"],
        "factors_text": f"{weakest['component']}: {weakest['factors_text']}",
    }


def _reasons(lap: _LapAnswer, component: int, rules: KarmaRules) -> Row:
    percent = lap.answers.percent[lap.at, :, component]
    ranked = [(lap.answers.factors[i], float(percent[i])) for i in np.argsort(-np.abs(np.log1p(percent / 100.0)))]
    top = ranked[:_MOST_FACTORS]
    return {"top_factors": top, "factors_text": describe_factors(top, rules.factors)}


def _applicability(lap: _LapAnswer) -> Row:
    outside = lap.answers.outside[lap.at]
    order = np.argsort(-outside, kind="stable")
    return {
        "applicability": float(np.mean(outside <= 0)),
        "outside_inputs": [lap.answers.columns[i] for i in order if outside[i] > 0],
    }


def _missing(laps: pd.DataFrame, at: int, columns: Sequence[str]) -> list[str]:
    row = laps.iloc[at]
    return [name for name in columns if np.isnan(_number(row[name]))]


def _number(value: Any) -> float:
    return np.nan if value is None or pd.isna(value) else float(value)


def _plain_value(value: Any) -> Any:
    """A cell as Python's own type; ``None`` where there is none."""
    if value is None or pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
