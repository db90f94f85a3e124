"""The live engine gives what the batch gives, window by window, whatever the order of arrival."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from analysis.signals.windows import CHANNELS, window_ends, window_features
from ml.style.engine import AIInferenceEngine


class Constant:
    """A model that always answers the same."""

    def __init__(self, probability=0.85, features=("rpm_std_10s",)):
        self.probability = probability
        self.features = features

    def predict_one(self, vector):
        assert vector.shape == (len(self.features),)
        assert vector.dtype == np.float32
        return self.probability


def samples_of(frame):
    return frame.select("t_us", *CHANNELS).to_dicts()


def feed(engine, samples):
    """Every answer and every refusal along a run, asked after each sample."""
    answers = []
    for sample in samples:
        engine.add_sample(sample)
        while engine.pending:
            answers.append(engine.get_prediction())
    return answers


def batch(frame):
    t_s = frame["t_us"].to_numpy() / 1e6
    channels = {name: frame[name].cast(float).fill_null(np.nan).to_numpy() for name in CHANNELS}
    ends = window_ends(t_s)
    return ends, window_features(t_s, channels, ends)


def steady(seconds=30, rate_hz=20, start=1_757_181_600):
    t = start + np.arange(0, seconds * rate_hz) / rate_hz
    return [{"t_s": float(x), "rpm": 4000 + 500 * np.sin(x), "speed_kmh": 100.0, "throttle_pct": 50.0} for x in t]


def test_a_whole_run_equals_the_batch(simulated, onnx_model):
    for frame in list(simulated.values())[:3]:
        ends, expected = batch(frame)
        every = AIInferenceEngine(Constant(features=("n_samples",)))
        answers = feed(every, samples_of(frame))
        assert [answer.window_end.timestamp() for answer in answers] == ends.tolist()
        for name, column in expected.items():
            got = np.array([answer.features[name] for answer in answers])
            np.testing.assert_allclose(got, column.astype(float), rtol=1e-9, atol=1e-9, err_msg=name)
        assert every.late == every.skipped == 0
        # With the trained model: the same probabilities as scoring the batch's rows.
        answers = [a for a in feed(AIInferenceEngine(onnx_model), samples_of(frame)) if a is not None]
        known = np.isfinite(np.column_stack([expected[name] for name in onnx_model.features])).all(axis=1)
        rows = np.column_stack([expected[name] for name in onnx_model.features])[known]
        np.testing.assert_allclose(
            [a.probability_aggressive for a in answers], onnx_model.predict_batch(rows), rtol=0, atol=1e-12
        )


def test_arrival_out_of_order_and_twice_changes_nothing(simulated):
    frame = next(iter(simulated.values()))
    samples = samples_of(frame)
    ends, expected = batch(frame)
    rng = np.random.default_rng(4)
    # Each sample is up to half a second late, some come twice; answers are asked for a second after the end.
    arrival = sorted(((s["t_us"] + rng.uniform(0, 5e5), s) for s in samples * 2), key=lambda pair: pair[0])
    engine = AIInferenceEngine(Constant(features=("n_samples",)))
    answers = []
    for at_us, sample in arrival:
        engine.add_sample(sample)
        while engine.pending and at_us > (ends[0] + len(answers) + 1) * 1e6:
            answers.append(engine.get_prediction())
    assert len(answers) > 80
    for name, column in expected.items():
        got = np.array([answer.features[name] for answer in answers])
        np.testing.assert_allclose(got, column.astype(float)[: len(answers)], rtol=1e-9, atol=1e-9, err_msg=name)


def test_text_label_and_confidence():
    for probability, text, label in (
        (0.85, "85% Aggressive", "AGGRESSIVE"),
        (0.2, "80% Normal", "NORMAL"),
        (0.5, "50% Normal", "NORMAL"),  # exactly one half is not above it
    ):
        answer = feed(AIInferenceEngine(Constant(probability)), steady(12))[-1]
        assert (answer.display_text, answer.label) == (text, label)
        assert answer.confidence_pct == pytest.approx(100 * max(probability, 1 - probability))
        assert answer.probability_aggressive == probability
        assert answer.latency_ms > 0
    strict = feed(AIInferenceEngine(Constant(0.85), threshold=0.9), steady(12))[-1]
    assert (strict.label, strict.display_text) == ("NORMAL", "15% Normal")


def test_it_answers_on_whole_seconds_and_says_when_the_window_is_full():
    answers = feed(AIInferenceEngine(Constant()), steady(15))
    assert [answer.window_end.microsecond for answer in answers] == [0] * 14
    assert [answer.is_complete for answer in answers] == [False] * 8 + [True] * 6
    assert answers[-1].n_samples == 200
    assert answers[-1].window_end == datetime.fromtimestamp(1_757_181_614, UTC)


def test_a_step_of_five_seconds():
    answers = feed(AIInferenceEngine(Constant(), step_s=5.0), steady(30))
    assert all(answer.window_end.second % 5 == 0 for answer in answers)
    assert len(answers) == 5


def test_without_an_answer_it_says_why(onnx_model):
    engine = AIInferenceEngine(onnx_model)
    assert engine.get_prediction() is None
    assert "no window is due" in engine.reason
    # No load and no temperature: not a zero, no answer.
    answers = feed(engine, steady(15))
    assert set(answers) == {None}
    assert "load_avg_10s" in engine.reason
    assert feed(AIInferenceEngine(Constant()), steady(5))[-1] is not None


def test_missing_values_are_not_zero():
    samples = steady(15)
    for sample in samples[::2]:
        sample["rpm"] = None
    for sample in samples[1::4]:
        sample["rpm"] = float("nan")
    answer = feed(AIInferenceEngine(Constant()), samples)[-1]
    assert answer.features["rpm_min_10s"] >= 3500


def test_event_time_may_be_a_datetime_or_text():
    local = timezone(timedelta(hours=2))
    engines = [AIInferenceEngine(Constant()) for _ in range(4)]
    for sample in steady(12):
        values = {name: value for name, value in sample.items() if name != "t_s"}
        us = round(sample["t_s"] * 1e6)
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
        forms = [
            {"t_s": sample["t_s"]},
            {"t_us": us},
            {"event_ts": when.astimezone(local)},
            {"event_ts": when.isoformat()},
        ]
        for engine, form in zip(engines, forms, strict=True):
            engine.add_sample(values | form)
    features = [[engine.get_prediction().features for _ in range(engine.pending)] for engine in engines]
    assert len(features[0]) == 11
    for other in features[1:]:
        np.testing.assert_equal(other, features[0])


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"rpm": 1.0}, "event_ts is None"),
        ({"event_ts": datetime(2025, 1, 1)}, "with its time zone"),  # noqa: DTZ001  the naive time is the point
        ({"t_s": float("nan")}, "t_s is nan"),
        ({"t_s": 1.0, "rpm": "fast"}, "rpm is 'fast'"),
    ],
)
def test_a_bad_sample_is_named(sample, message):
    with pytest.raises(ValueError, match=message):
        AIInferenceEngine(Constant()).add_sample(sample)


def test_bad_settings_are_named():
    for settings, message in (
        ({"window_s": 9.5}, "window_s"),
        ({"step_s": 0}, "step_s"),
        ({"threshold": 1.5}, "threshold"),
    ):
        with pytest.raises(ValueError, match=message):
            AIInferenceEngine(Constant(), **settings)


def test_it_holds_no_more_than_the_window_needs():
    engine = AIInferenceEngine(Constant())
    feed(engine, steady(60, rate_hz=30))
    assert len(engine._buffer) <= 30 * 11.5


def test_nobody_asking_costs_windows_and_not_memory():
    engine = AIInferenceEngine(Constant())
    for sample in steady(120):
        engine.add_sample(sample)
    assert engine.pending == engine.MAX_PENDING
    assert engine.skipped == 119 - engine.MAX_PENDING
    assert len(engine._buffer) <= 20 * (engine.MAX_PENDING + 12)


def test_late_samples_are_counted_and_a_clock_set_back_starts_afresh():
    engine = AIInferenceEngine(Constant())
    feed(engine, steady(30))
    engine.add_sample({"t_s": 1_757_181_600 + 5.0, "rpm": 9999.0})
    assert engine.late == 1
    answers = feed(engine, steady(15, start=1_757_181_600 - 3600))
    assert len(answers) == 14
    assert answers[-1].features["rpm_max_10s"] < 9999


def test_a_pause_gives_no_windows_but_those_with_data():
    samples = steady(20) + steady(20, start=1_757_181_600 + 100)
    answers = feed(AIInferenceEngine(Constant(features=("n_samples",))), samples)
    t_s = np.array([sample["t_s"] for sample in samples])
    assert [answer.window_end.timestamp() for answer in answers] == window_ends(t_s).tolist()
