"""The forest: what it promises, and that ONNX Runtime answers as scikit-learn does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from onnx import helper, load_from_string

from conf.errors import InputError
from ml.comparison import ModelComparison
from ml.style.evaluation import (
    compare_style_models,
    evaluate_style,
    majority_class,
    permutation_importances,
)
from ml.style.model import ForestParams, OnnxStyleModel, train_forest
from ml.style.plots import confusion_figure, importance_figure, probability_figure


def test_the_forest_is_as_promised(fitted, dataset):
    assert len(fitted.estimator.estimators_) == 300
    assert max(tree.get_depth() for tree in fitted.estimator.estimators_) <= 12
    assert fitted.estimator.class_weight == "balanced"
    assert fitted.features == dataset.features
    assert fitted.params.to_dict()["n_estimators"] == 300


def test_it_tells_aggressive_from_normal_on_vehicles_it_never_saw(fitted, dataset):
    x, y, groups = dataset.part("test")
    majority = majority_class(dataset.part("train")[1])
    scores = evaluate_style(y, fitted.predict_proba(x), groups, majority=majority)
    assert scores.n_vehicles >= 10
    assert scores.accuracy.value > scores.majority_accuracy + 0.1
    assert scores.balanced_accuracy.low > 0.6
    assert scores.roc_auc > 0.85


def test_labels_drawn_at_random_teach_it_nothing(dataset):
    """A control: with labels shuffled among vehicles the held-out score falls to chance, so nothing leaks."""
    x, _, groups = dataset.part("train")
    rng = np.random.default_rng(0)
    names = np.unique(groups)
    drawn = dict(zip(names, rng.permutation(np.where(np.arange(names.size) % 2, "AGGRESSIVE", "NORMAL")), strict=True))
    control = train_forest(x, groups.map(drawn), ForestParams(n_estimators=50, n_jobs=2))
    x_test, y_test, groups_test = dataset.part("test")
    scores = evaluate_style(y_test, control.predict_proba(x_test), groups_test, majority="NORMAL")
    assert scores.balanced_accuracy.low < 0.6


def test_onnx_agrees_with_scikit_learn(fitted, onnx_model, dataset):
    x = dataset.frame[list(dataset.features)]
    expected = fitted.predict_proba(x)
    np.testing.assert_allclose(onnx_model.predict_batch(x), expected, atol=1e-6)
    rows = x.to_numpy(dtype=np.float32)
    one = [onnx_model.predict_one(row) for row in rows[:200]]
    np.testing.assert_allclose(one, expected[:200], atol=1e-6)


def test_onnx_agrees_on_values_at_the_thresholds(fitted, onnx_model):
    """Rows whose every value is some tree's threshold take the same branches, or they would differ visibly."""
    rng = np.random.default_rng(2)
    trees = [estimator.tree_ for estimator in fitted.estimator.estimators_]
    rows = np.zeros((300, len(fitted.features)), dtype=np.float32)
    for index in range(rows.shape[1]):
        thresholds = np.concatenate([tree.threshold[tree.feature == index] for tree in trees])
        rows[:, index] = rng.choice(thresholds, rows.shape[0])
    frame = pd.DataFrame(rows, columns=list(fitted.features))
    np.testing.assert_allclose(onnx_model.predict_batch(rows), fitted.predict_proba(frame), atol=1e-6)


def test_a_frames_columns_are_taken_by_name(onnx_model, dataset):
    x, _, _ = dataset.part("test")
    shuffled = x[list(x.columns[::-1])].assign(extra=1.0)
    np.testing.assert_array_equal(onnx_model.predict_batch(shuffled), onnx_model.predict_batch(x))


def test_the_model_file_is_enough(fitted, tmp_path):
    path = tmp_path / "style.onnx"
    path.write_bytes(fitted.to_onnx())
    assert OnnxStyleModel(path).features == fitted.features
    nameless = load_from_string(fitted.to_onnx())
    helper.set_model_props(nameless, {})
    del nameless.metadata_props[:]
    with pytest.raises(InputError, match="does not name its features"):
        OnnxStyleModel(nameless.SerializeToString())
    with pytest.raises(InputError, match=r"no model that this version reads.*slipstream train style"):
        OnnxStyleModel(fitted.to_onnx()[:100])


def test_the_same_data_and_seed_make_the_same_forest(dataset):
    x, y, _ = dataset.part("train")
    params = ForestParams(n_estimators=20, n_jobs=2)
    assert train_forest(x, y, params).to_onnx() == train_forest(x, y, params).to_onnx()


def test_training_refuses_one_class_and_missing_values(dataset):
    x, y, _ = dataset.part("train")
    with pytest.raises(ValueError, match="needs both"):
        train_forest(x, ["NORMAL"] * len(x))
    holed = x.copy()
    holed.loc[holed.index[3], "rpm_range"] = np.nan
    with pytest.raises(ValueError, match="rpm_range has missing values"):
        train_forest(holed, y)


def toy(n_vehicles=20, windows=30, flip=0.0, seed=0):
    """Labels by vehicle and probabilities that are right but for a share of flips."""
    rng = np.random.default_rng(seed)
    groups = np.repeat([f"v{i:02d}" for i in range(n_vehicles)], windows)
    y = np.where(np.repeat(np.arange(n_vehicles) % 2, windows) == 1, "AGGRESSIVE", "NORMAL")
    p = np.where(y == "AGGRESSIVE", 0.9, 0.1)
    return y, np.where(rng.random(y.size) < flip, 1 - p, p), groups


def test_scores_by_hand():
    y = ["AGGRESSIVE"] * 4 + ["NORMAL"] * 6
    p = [0.9, 0.8, 0.7, 0.2, 0.6, 0.1, 0.1, 0.2, 0.3, 0.5]  # 0.5 is not above the threshold
    scores = evaluate_style(y, p, ["a"] * 4 + ["b"] * 6, majority="NORMAL")
    assert scores.confusion.tolist() == [[5, 1], [1, 3]]
    assert scores.accuracy.value == pytest.approx(0.8)
    assert scores.balanced_accuracy.value == pytest.approx((5 / 6 + 3 / 4) / 2)
    assert scores.classes["AGGRESSIVE"].precision == pytest.approx(0.75)
    assert scores.classes["NORMAL"].f1 == pytest.approx(5 / 6)
    assert scores.majority_accuracy == pytest.approx(0.6)
    assert np.isnan(scores.accuracy.low)  # one vehicle a class: no interval can be had
    assert scores.metrics()["aggressive_recall"] == pytest.approx(0.75)


def test_the_interval_is_that_of_vehicles_and_not_of_windows():
    """Whole vehicles wrong make a wide interval, the same share of windows wrong everywhere a narrow one."""
    y, p, groups = toy()
    wrong = np.isin(groups, ["v00", "v01", "v02", "v03"])
    clustered = evaluate_style(y, np.where(wrong, 1 - p, p), groups, majority="NORMAL").accuracy
    y, p, groups = toy(flip=0.2)
    spread = evaluate_style(y, p, groups, majority="NORMAL").accuracy
    assert clustered.low < clustered.value < clustered.high
    assert clustered.high - clustered.low > 3 * (spread.high - spread.low)


def test_a_set_of_one_class_has_no_auc():
    scores = evaluate_style(["NORMAL"] * 3, [0.1, 0.2, 0.9], ["a", "b", "c"], majority="NORMAL")
    assert np.isnan(scores.roc_auc)
    assert np.isnan(scores.balanced_accuracy.value)


def test_a_better_candidate_beats_and_an_equal_one_does_not():
    y, good, groups = toy(flip=0.05)
    _, bad, _ = toy(flip=0.3, seed=1)
    better = compare_style_models(good, bad, y, groups)
    assert isinstance(better, ModelComparison)
    assert better.is_better
    assert 0 < better.difference.low <= better.difference.value
    assert not compare_style_models(good, good, y, groups).is_better
    assert compare_style_models(bad, good, y, groups).reason.startswith("worse")


def test_too_few_vehicles_promote_nothing():
    y, good, groups = toy(n_vehicles=4)
    verdict = compare_style_models(good, 1 - good, y, groups)
    assert not verdict.is_better
    assert "simulate more sessions" in verdict.reason


def test_no_windows_are_an_error():
    with pytest.raises(ValueError, match="no windows to score"):
        evaluate_style([], [], [], majority="NORMAL")
    with pytest.raises(ValueError, match="give one each per window"):
        evaluate_style(["NORMAL"], [0.1, 0.2], ["a"], majority="NORMAL")


def test_importances_and_figures(dataset):
    x, y, groups = dataset.part("train")
    noisy = x.assign(noise=np.random.default_rng(0).random(len(x)))
    fitted = train_forest(noisy, y, ForestParams(n_estimators=40, n_jobs=2))
    x_test, y_test, groups = dataset.part("test")
    held_out = x_test.assign(noise=np.random.default_rng(1).random(len(x_test)))
    table = permutation_importances(fitted, held_out, y_test, max_rows=400, n_repeats=2)
    assert table["impurity"].sum() == pytest.approx(1.0)
    noise = table.set_index("feature").loc["noise"]
    assert noise["impurity"] < table["impurity"].max() / 3
    assert abs(noise["permutation"]) < 0.03
    p = fitted.predict_proba(held_out)
    scores = evaluate_style(y_test, p, groups, majority="NORMAL")
    one = (groups == groups.iloc[0]).to_numpy()
    ends = pd.Series(pd.date_range("2025-09-06 18:00:10", periods=int(one.sum()), freq="s", tz="UTC"))
    figures = [confusion_figure(scores.confusion), importance_figure(table), probability_figure(ends, p[one])]
    counts = [text.get_text().split("\n")[0].replace(",", "") for text in figures[0].axes[0].texts]
    assert [int(count) for count in counts] == scores.confusion.ravel().tolist()
    assert [label.get_text() for label in figures[1].axes[0].get_yticklabels()][::-1] == list(table["feature"])
    np.testing.assert_array_equal(figures[2].axes[0].lines[0].get_ydata(), p[one])
