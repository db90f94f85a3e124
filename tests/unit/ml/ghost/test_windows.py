"""Scaler, windows and the data set: units there and back, splits by lap, clear words where laps do not suffice."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.segmentation.zones import TYPES
from conf.errors import TrainingDataError
from ml.ghost.dataset import build_ghost_dataset, load_zone_windows
from ml.ghost.scaler import SPEED, ScalerError, fit_scaler, scaler_from_bytes
from ml.ghost.search.human_laps import STEPS
from ml.ghost.windows import CONDITIONS, LIMIT, choose_held_out, cut_windows, stretch_conditions


def test_the_scaler_goes_there_and_back_and_nought_pressure_is_nought(made) -> None:
    rng = np.random.default_rng(1)
    values = rng.uniform([60, 0, 0, -90], [200, 100, 80, 90], (50, 4))
    np.testing.assert_allclose(made.scaler.physical(made.scaler.normalise(values)), values)
    assert made.scaler.least[1] == made.scaler.least[2] == 0.0
    again = scaler_from_bytes(made.scaler_file)
    np.testing.assert_array_equal(again.least, made.scaler.least)
    np.testing.assert_array_equal(again.span, made.scaler.span)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (self.path,))  # type: ignore[return-value]


def test_a_file_that_is_no_scaler_is_refused_and_runs_nothing(made, tmp_path) -> None:
    good = json.loads(made.scaler_file)
    no_range = {**good, "range": dict.fromkeys(good["range"], 0.0)}
    wrong = [b"", b"[]", b"{}", b"null", json.dumps({"least": good["least"]}).encode(), json.dumps(no_range).encode()]
    for data in (*wrong, pickle.dumps(Bomb(tmp_path / "ran")), made.scaler_file.replace(b":", b": NaN, ", 3)):
        with pytest.raises(ScalerError, match="this is no scaler"):
            scaler_from_bytes(data)
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(Bomb(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


def test_a_channel_that_never_moves_is_named() -> None:
    values = np.random.default_rng(0).uniform(size=(20, 4))
    values[:, 2] = 0.0
    with pytest.raises(ScalerError, match="brake_front_bar never changes"):
        fit_scaler(values)


def test_normalised_speed_is_what_the_scaler_makes_of_a_speed() -> None:
    scaler = fit_scaler(np.random.default_rng(0).uniform([50, 0, 0, -1], [200, 100, 9, 1], (99, 4)))
    one = np.array([[120.0, 0, 0, 0]])
    assert scaler.speed_n(120.0) == pytest.approx(scaler.normalise(one)[0, SPEED])


def test_windows_hold_what_the_laps_did(made) -> None:
    found = cut_windows(made.profiles, made.tracks, made.scaler, moved=False)
    assert len(found) == len(made.profiles) * len(made.stretches)
    assert found.values.shape[1:] == (STEPS, 4)
    for k in (0, len(found) // 2, len(found) - 1):
        stretch, lap = made.stretches[found.place[k]], made.profiles[found.lap[k]]
        at = np.linspace(stretch.start_m, stretch.end_m, STEPS)
        np.testing.assert_allclose(found.values[k, :, 0], np.interp(at, lap.distance_m, lap.values[:, 0]), rtol=1e-6)
        assert found.kind[k] == stretch.kind


def test_moved_windows_stay_within_the_lap_and_keep_the_unmoved_ones(made) -> None:
    still = cut_windows(made.profiles, made.tracks, made.scaler, moved=False)
    moved = cut_windows(made.profiles, made.tracks, made.scaler, moved=True)
    assert len(still) < len(moved) <= 6 * len(still)
    assert all((moved.kind == kind).sum() > (still.kind == kind).sum() for kind in TYPES)
    known = {values.tobytes() for values in moved.values}
    assert all(values.tobytes() in known for values in still.values)


def test_conditions_say_how_fast_the_limit_is_here_and_ahead(made) -> None:
    braking = next(s for s in made.stretches if s.kind == "Braking")
    told = stretch_conditions(made.track, made.scaler, braking.start_m, braking.end_m)
    assert told.shape == (STEPS, len(CONDITIONS))
    assert told[0, LIMIT] > told[0, CONDITIONS.index("limit_speed_in_40_m")]
    assert told[-1, LIMIT] < told[0, LIMIT]
    length = told[0, CONDITIONS.index("length")] * 200.0
    assert length == pytest.approx(braking.length_m)


def test_what_a_lap_does_not_have_is_not_made_up(made) -> None:
    whole = made.profiles[0]
    hole = (whole.distance_m < 500.0) | (whole.distance_m > 560.0)
    torn = replace(whole, distance_m=whole.distance_m[hole], values=whole.values[hole])
    late = replace(whole, distance_m=whole.distance_m[20:], values=whole.values[20:])
    for profile, missing in ((torn, (500.0, 560.0)), (late, (0.0, 50.0))):
        found = cut_windows([profile], made.tracks, made.scaler, moved=False)
        kept = set(found.place)
        for stretch in made.stretches:
            touches = stretch.start_m < missing[1] and stretch.end_m > missing[0]
            assert (stretch.number in kept) != touches


@given(st.integers(2, 200), st.floats(0.01, 0.9), st.integers(0, 5))
def test_some_laps_are_kept_aside_and_never_all(n: int, share: float, seed: int) -> None:
    chosen = choose_held_out(n, share, seed)
    assert 1 <= chosen.sum() < n
    assert (chosen == choose_held_out(n, share, seed)).all()


def test_a_data_set_splits_by_lap_and_comes_back_from_its_files(made, tmp_path: Path) -> None:
    data = build_ghost_dataset(made.profiles, made.tracks, made.scaler)
    assert set(data.held_out_laps) < set(data.laps)
    assert len(np.unique(data.train.lap)) + len(np.unique(data.held_out.lap)) == len(data.laps)
    data.save(tmp_path)
    for kind in TYPES:
        train, aside = load_zone_windows(tmp_path, kind)
        np.testing.assert_array_equal(train.values, data.train.of(kind).values)
        np.testing.assert_array_equal(aside.conditions, data.held_out.of(kind).conditions)
    assert build_ghost_dataset(made.profiles, made.tracks, made.scaler).version == data.version
    assert build_ghost_dataset(made.profiles[:-1], made.tracks, made.scaler).version != data.version


def test_too_few_laps_are_refused_with_the_place_to_look(made) -> None:
    with pytest.raises(TrainingDataError, match=r"7 fast laps .* at least 8 .*gold\.lap_registry"):
        build_ghost_dataset(made.profiles[:7], made.tracks, made.scaler)


def test_a_missing_zone_type_is_named(made) -> None:
    track, stretches = made.tracks["made"]
    without = {"made": (track, tuple(s for s in stretches if s.kind != "Turn"))}
    with pytest.raises(TrainingDataError, match="mostly Turn"):
        build_ghost_dataset(made.profiles, without, made.scaler)
