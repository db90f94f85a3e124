"""The model as files: the same answers again, and nothing in them that could run."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import FunctionTransformer
from skops.io import dumps

from ml.karma.learners import ALGORITHMS
from ml.karma.model import CARD, KarmaModel, KarmaModelError, karma_model_from_files
from tests.unit.ml.karma.conftest import SMALL
from tests.unit.ml.karma.made_laps import RULES, made_laps

LAPS, _ = made_laps(["drawn-2"], cars=2, laps=5, seed=4)


@pytest.fixture(params=ALGORITHMS)
def one(request, fitted) -> KarmaModel:
    """A model of one set, of each kind."""
    return KarmaModel(request.param, {"everything": fitted[request.param]}, RULES.sequence_laps, SMALL)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_model_from_its_files_gives_the_same_answers(one):
    again = karma_model_from_files(one.to_files().__getitem__)
    assert (again.algorithm, again.sequence_laps, again.params) == (one.algorithm, one.sequence_laps, one.params)
    for before, after in zip(*(m.sets["everything"].predict(LAPS, m.sequence_laps) for m in (one, again)), strict=True):
        np.testing.assert_array_equal(before, after)
    old, new = one.sets["everything"], again.sets["everything"]
    inputs = old.scaling.to_inputs(LAPS) * 5.0
    np.testing.assert_array_equal(old.scaling.outside(inputs), new.scaling.outside(inputs))
    for name in ("share", "r2"):
        np.testing.assert_array_equal(getattr(old, name), getattr(new, name))
    np.testing.assert_array_equal(old.spread.reach, new.spread.reach)


def test_sets_keep_their_order_and_their_columns(model):
    again = karma_model_from_files(model.to_files().__getitem__)
    assert list(again.sets) == list(model.sets) == list(RULES.sets)
    assert all(again.sets[name].scaling.columns == RULES.columns(name) for name in again.sets)


@pytest.mark.parametrize("change", [{"format": 2}, {"components": ["engine", "wings"]}, {"format": None}])
def test_files_that_another_version_wrote_are_refused_with_the_remedy(one, change):
    files = one.to_files()
    files[CARD] = json.dumps(json.loads(files[CARD]) | change).encode()
    with pytest.raises(
        KarmaModelError, match=r"reads format 1 for engine, .*train a new one \(`slipstream train karma`"
    ):
        karma_model_from_files(files.__getitem__)


def test_the_bomb_goes_off_where_it_is_unpickled(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("algorithm", "path", "error"),
    [
        ("random_forest", "estimators.skops", "BadZipFile"),
        ("mlp", "estimators.skops", "BadZipFile"),
        ("lstm", "weights.pt", "UnpicklingError"),
        ("random_forest", "arrays.npz", "ValueError"),
    ],
)
def test_a_pickle_in_a_files_place_is_refused_and_does_not_run(fitted, tmp_path, algorithm, path, error):
    files = KarmaModel(algorithm, {"everything": fitted[algorithm]}, 4, SMALL).to_files()
    files[f"everything/{path}"] = pickle.dumps(Bomb(tmp_path / "ran"), protocol=2)
    with pytest.raises(KarmaModelError, match=rf"\({error}\): train it anew with `slipstream train karma`"):
        karma_model_from_files(files.__getitem__)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_inside_the_arrays_or_the_tensors_does_not_run(fitted, tmp_path):
    import torch

    arrays, tensors = io.BytesIO(), io.BytesIO()
    np.savez(arrays, **{"scaling.offset": np.array([Bomb(tmp_path / "ran")], dtype=object)})
    torch.save([{"lstm": Bomb(tmp_path / "ran")}], tensors)
    for path, data in {"arrays.npz": arrays, "weights.pt": tensors}.items():
        files = KarmaModel("lstm", {"everything": fitted["lstm"]}, 4, SMALL).to_files()
        files[f"everything/{path}"] = data.getvalue()
        with pytest.raises(KarmaModelError, match=r"ValueError|UnpicklingError"):
            karma_model_from_files(files.__getitem__)
    assert not (tmp_path / "ran").exists()


def test_estimators_that_call_a_function_of_someones_choice_are_refused(fitted):
    files = KarmaModel("random_forest", {"everything": fitted["random_forest"]}, 4, SMALL).to_files()
    files["everything/estimators.skops"] = dumps([FunctionTransformer(func=Path.touch)])
    with pytest.raises(KarmaModelError, match="UntrustedTypesFoundException"):
        karma_model_from_files(files.__getitem__)


@pytest.mark.parametrize("card", [b"", b"[]", b"{", b"\xff"])
def test_a_card_that_is_none_is_refused_with_the_remedy(card):
    with pytest.raises(KarmaModelError, match="slipstream train karma"):
        karma_model_from_files(lambda _: card)
