"""Training: it learns, a killed one ends where it would have ended, and what goes astray is said and not kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.segmentation.zones import TYPES
from ml.ghost.dataset import build_ghost_dataset
from ml.ghost.distance import distribution_distance
from ml.ghost.model import GanSource, ModelFormatError, model_from_files, model_to_files
from ml.ghost.networks import Critic, Encoder, Generator, NetworkShape
from ml.ghost.search.chain import ChainedLap
from ml.ghost.search.human_laps import STEPS
from ml.ghost.train_worker import ERROR, PROGRESS, train_zone_share
from ml.ghost.training import CHECKPOINT, HISTORY, WEIGHTS, TrainingError, TrainingParams, generate_windows, train_zone

SMALL = TrainingParams(
    steps=24, warm_share=0.5, batch=16, evaluate_every=6, patience=99, shape=NetworkShape(hidden=8, latent=3)
)


@pytest.fixture(scope="module")
def data(made):
    return build_ghost_dataset(made.profiles, made.tracks, made.scaler)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(folder / WEIGHTS, weights_only=True)
    return found


def test_the_first_step_is_the_entry_speed_and_pedals_stay_within_their_range(data) -> None:
    torch.manual_seed(0)
    drawn = generate_windows(Generator(SMALL.shape), data.train, seed=1)
    assert drawn.shape == data.train.values.shape
    np.testing.assert_array_equal(drawn[:, 0, 0], data.train.values[:, 0, 0])
    assert drawn[:, :, 1:3].min() >= 0.0
    assert drawn[:, :, 1:3].max() <= 1.0


def test_the_same_seed_draws_the_same_and_another_does_not(data) -> None:
    generator = Generator(SMALL.shape)
    one, same, other = (generate_windows(generator, data.held_out, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_networks_that_are_not_told_of_the_stretch_do_not_use_it(data) -> None:
    shape = NetworkShape(hidden=8, latent=3, is_conditional=False)
    real = torch.from_numpy(data.train.values[:4])
    told = torch.from_numpy(data.train.conditions[:4])
    other = told + torch.randn_like(told)
    latent = torch.randn(4, 3)
    for network, calls in (
        (Generator(shape), [(told, real[:, 0, 0], latent), (other, real[:, 0, 0], latent)]),
        (Critic(shape), [(real, told), (real, other)]),
        (Encoder(shape), [(real, told), (real, other)]),
    ):
        one, two = (network(*call) for call in calls)
        assert torch.equal(one[0], two[0])


@pytest.mark.slow
def test_it_gets_nearer_to_laps_it_never_saw(data, tmp_path: Path) -> None:
    kind = "Turn"
    params = replace(SMALL, steps=300, evaluate_every=50, warm_share=0.8)
    done = train_zone(kind, data.train.of(kind), data.held_out.of(kind), tmp_path, params)
    assert done.history[-1].reconstruction < 0.6 * done.history[0].reconstruction
    torch.manual_seed(0)
    aside = data.held_out.of(kind)
    start = distribution_distance(aside.values, generate_windows(Generator(params.shape), aside, 0))
    assert min(e.distance for e in done.history) < 0.8 * start
    assert np.isfinite(done.history[-1].critic_loss)
    assert np.isnan(done.history[0].critic_loss)
    assert json.loads((tmp_path / HISTORY).read_text())["best_step"] == done.best_step


def test_a_killed_training_ends_where_it_would_have_ended(data, tmp_path: Path) -> None:
    kind = "Straight"
    train, aside = data.train.of(kind), data.held_out.of(kind)
    whole = train_zone(kind, train, aside, tmp_path / "whole", SMALL)

    class KilledError(Exception):
        pass

    def kill(found) -> None:
        if found.step == 12:
            raise KilledError

    with pytest.raises(KilledError):
        train_zone(kind, train, aside, tmp_path / "killed", SMALL, on_evaluated=kill)
    torch.manual_seed(99)  # what else the process draws must not matter
    again = train_zone(kind, train, aside, tmp_path / "killed", SMALL)
    assert [e.distance for e in again.history] == [e.distance for e in whole.history]
    for name, value in weights_of(tmp_path / "whole").items():
        assert torch.equal(value, weights_of(tmp_path / "killed")[name]), name


def test_a_checkpoint_of_other_settings_is_refused(data, tmp_path: Path) -> None:
    kind = "Turn"
    train_zone(kind, data.train.of(kind), data.held_out.of(kind), tmp_path, replace(SMALL, steps=6))
    with pytest.raises(TrainingError, match=r"other settings.*--rebuild"):
        train_zone(kind, data.train.of(kind), data.held_out.of(kind), tmp_path, SMALL)


def test_patience_ends_it_early(data, tmp_path: Path) -> None:
    kind = "Turn"
    params = replace(SMALL, steps=400, warm_share=0.0, evaluate_every=4, patience=2, learning_rate=1e-7)
    done = train_zone(kind, data.train.of(kind), data.held_out.of(kind), tmp_path, params)
    assert done.stopped_early
    assert done.history[-1].step < 400


def test_not_a_number_names_the_zone_type_and_leaves_no_weights(data, tmp_path: Path) -> None:
    train = data.train.of("Braking")
    train.values[3] = np.nan
    with pytest.raises(TrainingError, match=r"Braking: the .*reconstruction.* not a number.*--learning-rate"):
        train_zone("Braking", train, data.held_out.of("Braking"), tmp_path, SMALL)
    assert not (tmp_path / WEIGHTS).exists()
    assert not (tmp_path / CHECKPOINT).exists()


def test_processes_share_the_zone_types_and_say_how_far_they_are(
    data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.save(tmp_path / "data")
    params = vars(SMALL) | {"shape": vars(SMALL.shape), "steps": 6}
    threads = torch.get_num_threads()
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        train_zone_share(str(tmp_path / "data"), str(tmp_path / "out"), params)
    torch.set_num_threads(threads)
    assert all((tmp_path / "out" / kind / WEIGHTS).is_file() for kind in TYPES)
    assert all(len((tmp_path / "out" / kind / PROGRESS).read_text().splitlines()) == 1 for kind in TYPES)
    assert not list((tmp_path / "out").glob(f"*/{ERROR}"))


@pytest.mark.slow
def test_a_process_killed_outright_is_taken_up_where_it_was(
    data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.save(tmp_path / "data")
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setenv("WORLD_SIZE", str(len(TYPES)))  # the first process of as many: one zone type
    params = vars(SMALL) | {"shape": vars(SMALL.shape), "steps": 120, "evaluate_every": 4}
    program = (
        "import json, sys; from ml.ghost.train_worker import train_zone_share; "
        "train_zone_share(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))"
    )
    told = [str(tmp_path / "data"), str(tmp_path / "killed"), json.dumps(params)]
    process = subprocess.Popen([sys.executable, "-c", program, *told])
    killed, whole = (tmp_path / folder / TYPES[0] for folder in ("killed", "whole"))
    deadline = time.monotonic() + 120
    while not (killed / CHECKPOINT).is_file() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert (killed / CHECKPOINT).is_file()
    assert not (killed / HISTORY).exists()
    for folder in (killed, whole):
        train_zone_share(str(tmp_path / "data"), str(folder.parent), params)
    found = weights_of(killed)
    assert all(torch.equal(value, found[name]) for name, value in weights_of(whole).items())


@pytest.fixture(scope="module")
def files(made) -> dict[str, bytes]:
    from io import BytesIO

    torch.manual_seed(0)
    weights = {}
    for kind in TYPES:
        buffer = BytesIO()
        torch.save(Generator(SMALL.shape).state_dict(), buffer)
        weights[kind] = buffer.getvalue()
    return model_to_files(weights, SMALL.shape, made.scaler_file, "a-run")


def test_a_model_drives_in_physical_units_from_the_entry_speed_on(made, files) -> None:
    model = model_from_files(files.__getitem__, "models:/ghost-gan/1")
    assert model.scaler_id == "a-run"
    source = GanSource(model, made.track)
    entry = np.array([30.0, 40.5])
    found = source.propose(made.stretches[0], entry, 5, np.random.default_rng(0))
    assert found.shape == (2, 5, STEPS, 4)
    np.testing.assert_array_equal(found[:, :, 0, 0], np.repeat(entry[:, None], 5, axis=1))
    assert found[..., 1].min() >= 0.0
    assert found[..., 1].max() <= 100.0
    again = source.propose(made.stretches[0], entry, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(found, again)


def test_told_of_a_good_lap_it_draws_about_it(made, files) -> None:
    source = GanSource(model_from_files(files.__getitem__, "m"), made.track)
    entry, pieces = np.array([40.0]), []
    for stretch in made.stretches:
        pieces.append(source.propose(stretch, entry, 50, np.random.default_rng(stretch.number))[0, 7])
        entry = pieces[-1][-1:, 0]
    best = ChainedLap(made.stretches, np.array(pieces), 0, 0)
    first, second = made.stretches[0], made.stretches[1]
    wide = source.propose(first, np.array([40.0]), 400, np.random.default_rng(9))[0]
    for stretch in made.stretches:
        source.propose(stretch, best.pieces[stretch.number, :1, 0], 50, np.random.default_rng(stretch.number))
    source.focus(best)
    near = source.propose(first, np.array([40.0]), 400, np.random.default_rng(9))[0]
    np.testing.assert_allclose(near[0], best.pieces[0], atol=1e-9)
    again = source.propose(second, best.pieces[1, :1, 0], 3, np.random.default_rng(9))[0]
    np.testing.assert_allclose(again[0], best.pieces[1], atol=1e-9)
    off_wide, off_near = (np.median(np.abs(w[:, -1, 0] - best.pieces[0, -1, 0])) for w in (wide, near))
    assert off_near < 0.8 * off_wide


def test_weights_of_another_version_are_refused(files) -> None:
    manifest = json.loads(files["manifest.json"])
    older = files | {"manifest.json": json.dumps(manifest | {"format": 0, "steps": 16}).encode()}
    with pytest.raises(ModelFormatError, match=r"format is 0, not 1; steps is 16, not 32.*train ghost"):
        model_from_files(older.__getitem__, "models:/ghost-gan/1")
    wider = files | {"manifest.json": json.dumps(manifest | {"shape": vars(NetworkShape(hidden=9, latent=3))}).encode()}
    with pytest.raises(ModelFormatError, match="do not fit"):
        model_from_files(wider.__getitem__, "models:/ghost-gan/1")


def test_weights_are_read_as_tensors_and_never_as_code(files, capfd) -> None:
    import pickle

    class Evil:
        def __reduce__(self):
            return (print, ("ran",))

    tampered = files | {"turn.pt": pickle.dumps(Evil())}
    with pytest.raises(ModelFormatError, match=r"ghost-gan/1.*\(UnpicklingError\).*slipstream train ghost"):
        model_from_files(tampered.__getitem__, "models:/ghost-gan/1")
    assert "ran" not in capfd.readouterr().out


@pytest.mark.parametrize("name", ["manifest.json", "scaler.json", "turn.pt"])
@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b'{"shape": 5}', b"PK\x03\x04"])
def test_files_that_are_no_model_are_refused_with_the_remedy(files, name: str, data: bytes) -> None:
    tampered = files | {name: data}
    with pytest.raises(ModelFormatError, match="ghost-gan/1"):
        model_from_files(tampered.__getitem__, "models:/ghost-gan/1")
