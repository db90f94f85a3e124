"""``ghost limit-lap`` as typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from analysis.coaching.insights import VERDICTS
from serving.queries.laps import rank_by_time, read_laps
from slipstream.cli import app
from tests.unit.serving.race_lake import SESSION, race_home, race_lake

REPO = Path(__file__).resolve().parents[4]


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    """An oval of 150 m by 50 m."""
    angle = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    file = tmp_path / "lines" / "Ring.csv"
    file.parent.mkdir()
    np.savetxt(file, np.column_stack([150 * np.cos(angle), 50 * np.sin(angle)]), delimiter=",", header="x_m,y_m")
    return file


def limit_lap(*arguments: object):
    return CliRunner().invoke(app, ["ghost", "limit-lap", *map(str, arguments)])


def parameters(file: Path, **changes: object) -> None:
    zones = {f"drs{z}_{end}": 0.0 for z in (1, 2) for end in ("act", "deact")}
    entry = {"s12": 200.0, "s23": 400.0, "mu_mean": 1.0, **zones, **changes}
    file.write_text("[TRACK_PARS]\ntrack_pars=" + json.dumps({"Ring": entry}))


def test_figures_for_programs(ring: Path) -> None:
    done = limit_lap("--raceline", ring, "--vehicle", "gr86-cup", "--format", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert sum(found["sector_times_s"]) == pytest.approx(found["lap_time_s"], abs=1e-3)
    assert found["lowest_speed_kmh"] < found["top_speed_kmh"]
    assert found["sector_ends_m"][0] == pytest.approx(found["length_m"] / 3, abs=0.1)
    assert "thirds" in found["notes"][0]


def test_parameters_are_found_beside_or_above_the_line(ring: Path) -> None:
    parameters(ring.parent.parent / "track_pars.ini")
    found = json.loads(limit_lap("--raceline", ring, "--vehicle", "gr86-cup", "--format", "json").stdout)
    assert found["sector_ends_m"][:2] == [200.0, 400.0]


def test_the_bare_limit_is_faster(ring: Path) -> None:
    times = [
        json.loads(
            limit_lap(
                "--raceline", ring, "--vehicle", "gr86-cup", "--corner-margin-mps", margin, "--format", "json"
            ).stdout
        )["lap_time_s"]
        for margin in (0.0, 2.0)
    ]
    assert times[0] < times[1]


def test_it_is_drawn(ring: Path, tmp_path: Path) -> None:
    done = limit_lap("--raceline", ring, "--vehicle", "touring-sedan", "--plot", tmp_path / "ring.svg")
    assert done.exit_code == 0, done.output
    drawn = (tmp_path / "ring.svg").read_text()
    assert "Speed, km/h" in drawn
    assert "touring-sedan on Ring" in drawn


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--vehicle", "gr87"], "gr86-cup"),
        (["--vehicle", "gr86-cup", "--track", "Oval"], "Oval"),
        (["--vehicle", "gr86-cup", "--track-parameters", "none.ini"], "none.ini"),
        (["--vehicle", "gr86-cup", "--raceline", "none.csv"], "none.csv"),
    ],
)
def test_what_is_not_there_is_said(ring: Path, change: list[str], says: str) -> None:
    done = limit_lap("--raceline", ring, *change)
    assert done.exit_code == 1
    assert says in done.stderr


def test_a_sector_beyond_the_line_is_refused(ring: Path) -> None:
    parameters(ring.parent / "track_pars.ini", s23=4_000.0)
    done = limit_lap("--raceline", ring, "--vehicle", "gr86-cup")
    assert done.exit_code == 1
    assert "beyond" in done.stderr


CAR = {
    "powertrain_type": "electric",
    "general": {
        "lf": 1.5,
        "lr": 1.2,
        "h_cog": 0.4,
        "sf": 1.5,
        "sr": 1.5,
        "m": 900.0,
        "f_roll": 0.02,
        "c_w_a": 1.0,
        "c_z_a_f": 0.5,
        "c_z_a_r": 0.6,
        "g": 9.81,
        "rho_air": 1.2,
    },
    "engine": {"topology": "AWD", "pow_e_motor": 150e3, "eta_e_motor": 0.9, "torque_e_motor_max": 200.0},
    "gearbox": {"i_trans": [0.1], "n_shift": [15000.0], "e_i": [1.04], "eta_g": 0.95},
    "tires": {
        axle: {"circ_ref": 2.0, "fz_0": 2500.0, "mux": 1.4, "muy": 1.4, "dmux_dfz": -2e-5, "dmuy_dfz": -2e-5}
        for axle in "fr"
    }
    | {"tire_model_exp": 2.0},
}


def test_a_parameter_file_and_what_is_wrong_in_it(ring: Path, tmp_path: Path) -> None:
    file = tmp_path / "car.ini"
    file.write_text("[VEH_PARS]\nveh_pars=" + json.dumps(CAR))
    times = {}
    for driven in ("FWD", "RWD", "AWD"):
        changed = CAR | {"engine": CAR["engine"] | {"topology": driven}}
        file.write_text("[VEH_PARS]\nveh_pars=" + json.dumps(changed))
        done = limit_lap("--raceline", ring, "--vehicle", file, "--format", "json")
        assert done.exit_code == 0, done.output
        times[driven] = json.loads(done.stdout)["lap_time_s"]
    assert times["AWD"] <= min(times["FWD"], times["RWD"])
    for section, field, value in (("general", "m", -1), ("gearbox", "n_shift", [1.0, 2.0]), ("tires", "f", None)):
        file.write_text("[VEH_PARS]\nveh_pars=" + json.dumps(CAR | {section: CAR[section] | {field: value}}))
        done = limit_lap("--raceline", ring, "--vehicle", file)
        assert done.exit_code == 1
        assert field in done.stderr
        assert "car.ini" in done.stderr


def test_from_the_laps_of_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPSTREAM_HOME", str(race_home().home))
    done = limit_lap("--session", SESSION, "--vehicle", "sim-54", "--format", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["gap_s"] > 0
    assert found["vehicles"] == ["sim-54"]
    done = limit_lap("--session", SESSION, "--plot", tmp_path / "limit.svg")
    assert done.exit_code == 0, done.output
    assert "best lap driven" in (tmp_path / "limit.svg").read_text()
    assert "the limit lap is" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--session", SESSION, "--raceline", "x.csv"], "does not go with --session"),
        (["--raceline", "x.csv", "--vehicle", "gr86-cup", "--quantile", "0.9"], "does not go with --raceline"),
        (["--vehicle", "gr86-cup"], "or --session"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], says: str) -> None:
    done = limit_lap(*arguments)
    assert done.exit_code == 2
    assert says in done.output


@pytest.fixture
def coached(monkeypatch: pytest.MonkeyPatch) -> str:
    """A lake with a race, and its slowest lap."""
    monkeypatch.setenv("SLIPSTREAM_HOME", str(race_home().home))
    monkeypatch.setenv("COLUMNS", "200")
    return rank_by_time(read_laps(race_lake(), SESSION))[-1].uid


def compare(*arguments: object):
    return CliRunner().invoke(app, ["coach", *map(str, arguments)])


def test_a_lap_is_coached(coached: str, tmp_path: Path) -> None:
    done = compare("--lap", coached, "--plot", tmp_path / "coach.png")
    assert done.exit_code == 0, done.output
    best = rank_by_time(read_laps(race_lake(), SESSION))[0]
    assert f"slower than {best.uid}" in done.stdout.splitlines()[-1]
    assert "things to do better, worth" in done.stdout
    assert any(text in done.stdout for text in VERDICTS.values())
    assert any(line.lstrip().startswith("sum") for line in done.stdout.splitlines())
    assert (tmp_path / "coach.png").read_bytes().startswith(b"\x89PNG")


def test_coaching_for_programs(coached: str) -> None:
    other = rank_by_time(read_laps(race_lake(), SESSION))[1].uid
    done = compare("--lap", coached, "--target", other, "--format", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["lap"], found["target"], found["target_kind"]) == (coached, other, "other_lap")
    losses = [insight["time_loss_s"] for insight in found["insights"]]
    assert losses == sorted(losses, reverse=True)
    assert {insight["verdict_code"] for insight in found["insights"]} <= set(VERDICTS)
    assert found["trace"]["delta_s"][0] == 0.0


@pytest.mark.parametrize(
    ("target", "says"), [("ghost", "has no ghost lap yet"), ("nine", "names no lap"), (f"{SESSION}/54/99", "no lap 99")]
)
def test_a_target_that_is_not_there_is_one_clear_line(coached: str, target: str, says: str) -> None:
    done = compare("--lap", coached, "--target", target)
    assert done.exit_code == 1
    assert says in done.stderr


def test_coaching_loads_neither_spark_nor_pandas(coached: str) -> None:
    lines = [
        "import sys",
        "from slipstream.cli import app",
        f"app(['ghost', 'compare', '--lap', '{coached}'], standalone_mode=False)",
        "sys.exit(sorted({'pyspark', 'delta', 'pandas', 'matplotlib', 'mlflow'} & set(sys.modules)) or 0)",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("track", "segment"), "and write gold.microsectors"),
        (("ghost", "synthesize", "--session", "s"), "and write gold.ghost_laps, gold.ghost_summary"),
        (("train", "ghost"), "would read gold.microsector_traces, gold.microsectors and write"),
    ],
)
def test_the_jobs_say_what_they_would_do(words: tuple[str, ...], says: str) -> None:
    result = CliRunner().invoke(app, [*words, "--dry-run"])
    assert result.exit_code == 0
    assert says in result.output


def test_the_jobs_load_no_torch_and_start_no_jvm_to_say_so() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from slipstream.cli import app; "
        "CliRunner().invoke(app, ['train', 'ghost', '--dry-run']); "
        "from pyspark import SparkContext; "
        "print('torch' in sys.modules, SparkContext._gateway)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False None"
