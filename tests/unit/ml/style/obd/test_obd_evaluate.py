from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, roc_auc_score

from ml.style.obd import (
    BASELINE,
    BETTER,
    ObdReport,
    along_trip_figure,
    evaluate_recipes,
    label_rule_figure,
    random_vs_held_out_figure,
    read_trips,
    roc_pr_figure,
)

TREES = {"n_trees": 30, "step_rows": 3}


@pytest.fixture(scope="module")
def real_report(real_paths) -> ObdReport:
    """The evaluation at reduced size: fewer trees, every third training window, three window lengths to choose from."""
    better = replace(BETTER, window_rows=((10,), (20,), (60,)), **TREES)
    return evaluate_recipes(read_trips(real_paths), better, baseline=replace(BASELINE, **TREES), n_resamples=200)


def test_random_split_flatters(real_report):
    held_out = [one.auc.value for one in real_report.held_out if one.recipe == "baseline"]
    random = next(one for one in real_report.random_split if one.recipe == "baseline")
    assert random.auc > max(held_out) + 0.1


def test_better_features_gain_on_each_trip_and_pooled(real_report):
    for gain in real_report.gains:
        assert gain.auc.low > 0.05, gain
        assert gain.pr_auc.low > 0.05, gain
    assert {gain.trip for gain in real_report.gains} == {"pooled", *(facts.trip for facts in real_report.trips)}


def test_label_is_next_to_a_threshold_on_the_spread_of_engine_speed(real_report):
    """What the recipe recovers; if this ever fails, the labels were made another way and the docs are wrong."""
    for facts in real_report.trips:
        assert facts.rpm_spread_auc[20] > 0.99
        assert max(facts.rpm_spread_auc, key=facts.rpm_spread_auc.__getitem__) == 20


def test_figures_of_the_report_agree_with_its_scores(real_report):
    for one in real_report.held_out:
        scores = real_report.scores.query("recipe == @one.recipe and trip == @one.trip")
        assert one.auc.value == pytest.approx(roc_auc_score(scores["aggressive"], scores["probability"]))
        assert one.pr_auc.value == pytest.approx(average_precision_score(scores["aggressive"], scores["probability"]))
        assert one.auc.low < one.auc.value < one.auc.high
        assert len(scores) == one.n_rows


def test_json_and_table(real_report):
    data = json.loads(real_report.to_json())
    assert data["block_rows"] == 120
    assert len(data["held_out"]) == 2 * len(real_report.trips)
    assert "scores" not in data
    assert len(real_report.table()) == 2 * len(real_report.trips)


def test_plots(real_report):
    trip = real_report.trips[0].trip
    roc = roc_pr_figure(real_report)
    assert len(roc.axes) == 2 * len(real_report.trips)
    assert len(random_vs_held_out_figure(real_report).axes[0].containers) > len(real_report.trips)
    assert len(along_trip_figure(real_report, "better", trip).axes) == real_report.trips[0].drives
    assert isinstance(label_rule_figure(real_report), Figure)
    with pytest.raises(ValueError, match="no scores of recipe 'best'"):
        along_trip_figure(real_report, "best", trip)


def test_a_recipe_gains_nothing_over_itself(trip):
    recipe = replace(BASELINE, n_trees=5)
    report = evaluate_recipes([trip(1), trip(2)], replace(recipe, name="twin"), baseline=recipe, n_resamples=20)
    assert all(gain.auc.low == gain.auc.value == gain.auc.high == 0 for gain in report.gains)


def test_held_out_labels_have_no_say(trip):
    """Scores of a held-out trip do not change with its labels."""
    small = replace(BETTER, n_trees=5, window_rows=((5,), (20,)))
    one, other = trip(1), trip(2)
    rolled = type(other)(other.name, other.signals, np.roll(other.labels, 300), other.annotations)
    scores = []
    for each in (other, rolled):
        found = evaluate_recipes([one, each], small, baseline=replace(BASELINE, n_trees=5), n_resamples=5).scores
        scores.append(found.loc[found["trip"] == other.name, "probability"].to_numpy())
    np.testing.assert_array_equal(*scores)


def test_bad_calls(trip):
    one = trip(1)
    with pytest.raises(ValueError, match="two or more trips"):
        evaluate_recipes([one, one])
    with pytest.raises(ValueError, match="same name"):
        evaluate_recipes([one, trip(2)], BASELINE)
    calm = type(one)("calm", one.signals, np.zeros_like(one.labels), one.annotations)
    with pytest.raises(ValueError, match="trip calm holds one style only"):
        evaluate_recipes([one, calm])
