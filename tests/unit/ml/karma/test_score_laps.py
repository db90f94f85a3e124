"""Laps in, rows out: every lap has its rows, a reason where it has no score, and the same ones however it is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from conf.contract import load_contract
from conf.wear import COMPONENTS
from ml.karma.dataset import KEY
from ml.karma.formula import overall_karma
from ml.karma.score_laps import OVERALL, score_laps, scoring_columns
from tests.unit.ml.karma.made_laps import RULES, made_laps

LAPS, TRUTH = made_laps(["drawn-2", "drawn-5"], cars=2, laps=6, seed=9)
VEHICLE = "gr86-cup"
REFERENCE = RULES.reference(VEHICLE)
HEAT, TORQUE = list(RULES.inputs["heat"]), list(RULES.inputs["torque"])
AT = 2  # the third lap of a car


@pytest.fixture(scope="module")
def scored(model) -> pd.DataFrame:
    return table(LAPS, model)


def table(laps: pd.DataFrame, model) -> pd.DataFrame:
    return pd.DataFrame(score_laps(laps, model, RULES, VEHICLE))


def spoilt(**values: object) -> pd.DataFrame:
    """The laps, one of them otherwise."""
    laps = LAPS.copy()
    for name, value in values.items():
        laps[name] = laps[name].mask(laps.index == AT, value)
    return laps


def of(rows: pd.DataFrame, at: int) -> pd.DataFrame:
    """Rows of one lap."""
    return rows.merge(LAPS.loc[[at], KEY], on=KEY)


def assert_same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Equal but for rounding; the words of a score say what it is made of."""
    plain = [name for name in one.columns if name not in ("top_factors", "missing_inputs", "outside_inputs")]
    pd.testing.assert_frame_equal(one[plain].reset_index(drop=True), other[plain].reset_index(drop=True), rtol=1e-9)
    for name in ("missing_inputs", "outside_inputs"):
        assert one[name].astype(str).tolist() == other[name].astype(str).tolist()


def test_every_lap_has_six_rows_in_order(scored):
    assert len(scored) == 6 * len(LAPS)
    assert scored[KEY].drop_duplicates().to_numpy().tolist() == LAPS.sort_values(KEY)[KEY].to_numpy().tolist()
    assert scored["component"].tolist() == [*COMPONENTS, OVERALL] * len(LAPS)
    columns = {column.name for column in load_contract("gold.karma_scores").columns}
    assert set(scored.columns) < columns


def test_a_score_is_that_of_its_damage_and_the_whole_that_of_its_parts(scored):
    parts = scored[scored["component"] != OVERALL]
    reference = parts["component"].map(REFERENCE)
    for score, damage in (("karma_score", "damage_per_km"), ("karma_low", "high"), ("karma_high", "low")):
        per_km = parts[damage] if damage in parts else parts[f"lap_damage_{damage}"] / parts["distance_km"]
        np.testing.assert_allclose(parts[score], 100 * 2.0 ** (-per_km / reference))
    np.testing.assert_allclose(parts["lap_damage"], parts["damage_per_km"] * parts["distance_km"])
    whole = scored[scored["component"] == OVERALL]
    by_lap = parts.groupby(KEY, sort=False)
    assert whole["karma_score"].tolist() == pytest.approx(
        [overall_karma(list(lap["karma_score"])) for _, lap in by_lap]
    )
    weakest = [lap.loc[lap["karma_score"].idxmin(), "component"] for _, lap in by_lap]
    assert [text.partition(":")[0] for text in whole["factors_text"]] == weakest
    assert (scored["karma_low"] < scored["karma_score"]).all()
    assert (scored["karma_score"] < scored["karma_high"]).all()


def test_scores_are_right_about_made_laps(scored):
    both = scored.merge(TRUTH, on=[*KEY, "component"], suffixes=("", "_true"))
    assert np.abs(np.log(both["damage_per_km"] / both["damage_per_km_true"])).mean() < 0.15
    true = both["damage_per_km_true"] * both["distance_km"]
    assert 0.75 < true.between(both["lap_damage_low"], both["lap_damage_high"]).mean() <= 1.0


def test_damage_adds_up_over_a_cars_laps(scored):
    for _, car in scored[scored["component"] != OVERALL].groupby(["session_id", "vehicle_id", "component"]):
        np.testing.assert_allclose(car["cumulative_damage"], car["lap_damage"].cumsum())
        assert car["laps_counted"].tolist() == list(range(1, len(car) + 1))
        assert car["trend"].isna().tolist() == [True, True] + [False] * (len(car) - 2)
        assert (car["remaining_laps_low"] <= car["remaining_laps"]).all()
        assert (car["remaining_laps"] <= car["remaining_laps_high"]).all()


SPOILT = {
    "thin": ({"coverage": 0.79}, "telemetry covers 79% of the lap, and 80% are needed"),
    "no telemetry": ({"coverage": None}, "telemetry covers 0% of the lap"),
    "half": ({"distance_km": 0.4}, r"0\.40 km were driven, and this car's laps are \d\.\d\d km long"),
    "no way": ({"distance_km": None}, "how far the car drove is not known"),
    "nothing known": ({"speed_max": None, "brake_load_bar": None}, "no value of speed_max, brake_load_bar$"),
}


@pytest.mark.parametrize(("values", "reason"), SPOILT.values(), ids=SPOILT)
def test_a_lap_that_cannot_be_scored_says_why_and_leaves_the_others_alone(model, scored, values, reason):
    rows = table(spoilt(**values), model)
    own = of(rows, AT)
    assert own["component"].tolist() == [*COMPONENTS, OVERALL]
    assert own["karma_score"].isna().all()
    assert own["not_scored_reason"].str.contains(reason).all()
    others = ["karma_score", "karma_low", "karma_high", "damage_per_km", "factors_text"]
    rest = rows["not_scored_reason"].isna()
    assert len(rest) - rest.sum() == 6
    keyed = [frame.set_index([*KEY, "component"])[others] for frame in (rows[rest], scored)]
    pd.testing.assert_frame_equal(keyed[0], keyed[1].loc[keyed[0].index], rtol=1e-9)
    # What was not scored was not counted, and the next lap goes on from the one before.
    after, before = of(rows, AT + 1), of(rows, AT - 1)
    np.testing.assert_allclose(
        after["cumulative_damage"][:5], before["cumulative_damage"][:5] + after["lap_damage"][:5], rtol=1e-12
    )


def test_a_last_lap_without_a_time_has_not_ended_and_an_earlier_one_has(model):
    laps = LAPS.astype({"lap_time_ms": "float64"})
    own = (laps["session_id"] == LAPS.loc[0, "session_id"]) & (laps["vehicle_id"] == LAPS.loc[0, "vehicle_id"])
    last = laps.index[own][-1]
    laps.loc[[AT, last], "lap_time_ms"] = np.nan
    rows = table(laps, model)
    assert of(rows, last)["not_scored_reason"].str.startswith("the lap has not ended").all()
    assert of(rows, AT)["karma_score"].notna().all()


def test_a_car_that_stands_is_not_scored(model):
    rows = table(LAPS.head(6).assign(distance_km=0.0), model)
    assert rows["not_scored_reason"].str.startswith("0.00 km were driven").all()


def test_a_model_without_the_smaller_sets_asks_for_what_it_lacks(model):
    narrow = replace(model, sets={"everything": model.sets["everything"]})
    reasons = table(spoilt(brake_temp_mean_c=None), narrow)
    assert of(reasons, AT)["not_scored_reason"].tolist() == ["no value of brake_temp_mean_c"] * 6


@pytest.mark.parametrize(
    ("unsent", "name", "wider"),
    [
        (HEAT, "no_heat", ["engine", "brakes"]),
        (HEAT + TORQUE, "race_car", ["engine", "brakes", "gearbox"]),
        (["rpm_mean"], "chassis", ["engine", "brakes", "gearbox"]),
    ],
)
def test_laps_of_cars_that_send_less_are_scored_by_less_and_more_widely(model, scored, unsent, name, wider):
    rows = table(LAPS.assign(**dict.fromkeys(unsent, np.nan)), model)
    assert set(rows["channel_set"]) == {name}
    assert all(set(missing) == set(unsent) for missing in rows["missing_inputs"])
    assert "not_scored_reason" not in rows
    for component in wider:
        full, less = (
            np.log(own["lap_damage_high"] / own["lap_damage_low"]).mean()
            for own in (frame[frame["component"] == component] for frame in (scored, rows))
        )
        assert less > 1.3 * full, component
    assert set(scored["channel_set"]) == {"everything"}
    assert not scored["missing_inputs"].map(len).any()


def test_one_lap_that_lacks_a_channel_changes_no_other(model, scored):
    rows = table(spoilt(brake_temp_max_c=None), model)
    assert set(of(rows, AT)["channel_set"]) == {"no_heat"}
    rest = rows["channel_set"] == "everything"
    assert (~rest).sum() == 6
    np.testing.assert_allclose(rows["damage_per_km"][rest], scored["damage_per_km"][rest], rtol=1e-9)


def test_a_lap_without_a_score_is_still_seen_by_the_next(model, fitted):
    recurrent = replace(model, algorithm="lstm", sets={"everything": fitted["lstm"]})
    whole, thin, dark = (table(laps, recurrent) for laps in (LAPS, spoilt(coverage=0.5), spoilt(speed_max=None)))
    score = of(whole, AT + 1)["karma_score"]
    assert of(thin, AT)["karma_score"].isna().all()
    np.testing.assert_allclose(of(thin, AT + 1)["karma_score"], score, rtol=1e-5)
    assert np.abs(of(dark, AT + 1)["karma_score"] - score).max() > 0.01  # nobody knows how that one was driven


@pytest.mark.parametrize("algorithm", ["random_forest", "lstm"])
def test_cars_one_at_a_time_or_together_in_any_order(model, fitted, algorithm):
    if algorithm == "lstm":
        model = replace(model, algorithm=algorithm, sets={"everything": fitted[algorithm]})
    together = table(LAPS, model)
    assert_same(together, table(LAPS.sample(frac=1.0, random_state=1), model))
    alone = [table(car, model) for _, car in LAPS.groupby(["session_id", "vehicle_id"])]
    rounded = {"rtol": 1e-5} if algorithm == "lstm" else {"rtol": 1e-9}
    np.testing.assert_allclose(pd.concat(alone)["karma_score"], together["karma_score"], **rounded)
    assert pd.concat(alone)["factors_text"].tolist() == together["factors_text"].tolist()


def test_a_lap_unlike_any_in_training_says_in_what(model, scored):
    usual = of(scored, AT)
    assert usual["applicability"].min() > 0.9
    far = of(table(spoilt(speed_max=50.0, brake_temp_mean_c=900.0, rpm_mean=2.0e-4), model), AT)
    assert far["applicability"].max() < usual["applicability"].min()
    assert all({"speed_max", "brake_temp_mean_c", "rpm_mean"} <= set(names) for names in far["outside_inputs"])
    assert far["applicability"].iloc[0] == pytest.approx(
        1 - len(far["outside_inputs"].iloc[0]) / len(RULES.columns("everything"))
    )


def test_reasons_name_what_was_done_to_the_lap(model, scored):
    hotter = of(table(spoilt(brake_temp_mean_c=LAPS.loc[AT, "brake_temp_mean_c"] + 100.0), model), AT)
    before, after = (rows.set_index("component") for rows in (of(scored, AT), hotter))
    assert after.loc["brakes", "karma_score"] < before.loc["brakes", "karma_score"]
    assert after.loc["tyres", "karma_score"] == pytest.approx(before.loc["tyres", "karma_score"], abs=3.0)
    (at_first, then) = (dict(rows.loc["brakes", "top_factors"])["brake_heat"] for rows in (before, after))
    assert (100 + then) / (100 + at_first) == pytest.approx(2.0 ** (100.0 / 40.0), rel=0.15)  # as the formula has it
    assert f"hotter brakes +{then:.0f} %" in after.loc["brakes", "factors_text"]


def test_what_scoring_reads_is_in_the_contract_and_it_reads_nothing_else(model, scored):
    needed = scoring_columns(RULES)
    assert set(needed) <= {column.name for column in load_contract("gold.lap_features").columns}
    assert len(needed) == len(set(needed))
    assert_same(table(LAPS[list(needed)], model), scored)


def test_a_vehicle_without_a_reference_is_an_error(model):
    with pytest.raises(ValueError, match="no references for the vehicle 'kart'"):
        score_laps(LAPS, model, RULES, "kart")


def test_no_laps_are_no_rows(model):
    assert score_laps(LAPS.head(0), model, RULES, VEHICLE) == []
