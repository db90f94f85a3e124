"""``laps list | check | compare`` on a lake with a simulated race."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable

from serving.queries.laps import find_best_lap, rank_by_time, read_laps
from tests.unit.serving.race_lake import SESSION, race, race_home, race_lake

REPO = Path(__file__).resolve().parents[4]


@pytest.fixture
def lake(lake_home):
    shutil.copytree(race_home().lake_root, lake_home / "lake")
    return lake_home


@pytest.fixture(scope="module")
def laps():
    return read_laps(race_lake(), SESSION)


@pytest.fixture(scope="module")
def pair(laps):
    """The slowest driver's best lap and the quickest's."""
    best = {lap.vehicle_id: lap for lap in rank_by_time(laps)[::-1]}
    ordered = sorted(best.values(), key=lambda lap: lap.lap_time_ms)
    return ordered[-1], ordered[0]


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_list_in_all_formats(slipstream, lake, laps):
    shown = slipstream("laps", "list")
    assert shown.exit_code == 0, shown.output
    fit, best = sum("pace" in lap.fit_for for lap in laps), find_best_lap(laps)
    assert shown.stdout.splitlines()[-1].startswith(
        f"{len(laps)} laps of 3 vehicles, {fit} fit for pace; the best is 1:"
    )
    assert "yellow_flag" in shown.stdout
    found = json.loads(slipstream("laps", "list", "--session", SESSION, "--format", "json").stdout)
    assert [row["lap_uid"] for row in found] == [lap.uid for lap in laps]
    assert {tuple(row["fit_for"]) for row in found} == {lap.fit_for for lap in laps}
    one = slipstream("laps", "list", "--vehicle", str(best.vehicle_number), "--format", "csv")
    assert [int(row["lap_number"]) for row in table(one.stdout)] == [
        lap.lap_number for lap in laps if lap.vehicle_id == best.vehicle_id
    ]
    assert "fit for pace" in one.stderr


def test_check(slipstream, lake):
    shown = slipstream("laps", "check")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines()[-1] == "3 of 3 entries agree with the results"
    found = json.loads(slipstream("laps", "check", "--session", SESSION, "--format", "json").stdout)
    assert [row["position"] for row in found] == [1, 2, 3]
    assert all(row["best_lap_s"] == row["official_best_lap_s"] for row in found)
    assert {row["agrees"] for row in table(slipstream("laps", "check", "--format", "csv").stdout)} == {"true"}


def test_compare(slipstream, lake, pair):
    slow, quick = pair
    shown = slipstream("laps", "compare", slow.uid, f"{SESSION}/{quick.vehicle_number}/best")
    assert shown.exit_code == 0, shown.output
    delta = (slow.lap_time_ms - quick.lap_time_ms) / 1000
    lines = shown.stdout.splitlines()
    assert lines[-1].endswith(f"({quick.lap_time_ms // 60000}:{quick.lap_time_ms % 60000 / 1000:06.3f})")
    assert f"is {delta:.3f} s slower than {quick.uid}" in lines[-1]
    assert any(line.startswith("sum") and f"{delta:+.3f}" in line for line in lines)
    assert any(line.startswith("official sectors: S1 ") for line in lines)
    assert "aligned by position on the track" in lines


def test_compare_for_programs(slipstream, lake, pair):
    slow, quick = pair
    found = json.loads(slipstream("laps", "compare", slow.uid, quick.uid, "--format", "json").stdout)
    assert (found["lap"], found["reference"], found["reference_kind"]) == (slow.uid, quick.uid, "best_lap")
    assert sum(piece["time_lost_s"] for piece in found["pieces"]) == pytest.approx(found["delta_s"])
    assert found["track_id"] == race().track.name
    rows = table(slipstream("laps", "compare", slow.uid, quick.uid, "--format", "csv").stdout)
    assert [row["label"] for row in rows] == [piece["label"] for piece in found["pieces"]]
    assert {row["lap_uid"] for row in rows} == {slow.uid}


@pytest.mark.parametrize(("name", "magic"), [("a/laps.png", b"\x89PNG"), ("laps.svg", b"<?xml"), ("laps.pdf", b"%PDF")])
def test_plot(slipstream, lake, pair, tmp_path, name, magic):
    path = tmp_path / name
    shown = slipstream("laps", "compare", pair[0].uid, pair[1].uid, "--plot", str(path))
    assert shown.exit_code == 0, shown.output
    assert path.read_bytes().startswith(magic)
    assert f"plot: {path}" in shown.stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("list", "--session", "nine"), f"no laps of session 'nine': sessions are {SESSION}"),
        (("list", "--vehicle", "x"), "no vehicle 'x': vehicles are sim-"),
        (("compare", "x", f"{SESSION}/54/1"), "'x' names no lap"),
        (("compare", f"{SESSION}/54/77", f"{SESSION}/54/1"), "no lap 77"),
        (("compare", f"{SESSION}/54/1", f"{SESSION}/54/1"), "compared with itself"),
        (("compare", f"{SESSION}/54/1", f"{SESSION}/54/2", "--plot", "laps.txt"), "end the name in .png, .svg or .pdf"),
    ],
)
def test_errors_are_one_clear_line(slipstream, lake, args, words):
    assert {car.entered_number for car in race().cars} >= {54}
    result = slipstream("laps", *args)
    assert result.exit_code == 1
    assert words in result.stderr


def test_an_empty_lake_says_what_to_run(slipstream, lake_home):
    for args in (("list",), ("check",), ("compare", "a/b/1", "a/b/2")):
        result = slipstream("laps", *args)
        assert result.exit_code == 1
        assert "slipstream stream silver" in result.stderr


def test_neither_spark_nor_pandas_is_loaded_for_reading(lake, pair):
    lines = [
        "import sys",
        "from slipstream.cli import app",
        f"app(['laps', 'compare', '{pair[0].uid}', '{pair[1].uid}'], standalone_mode=False)",
        "sys.exit(sorted({'pyspark', 'delta', 'pandas', 'matplotlib'} & set(sys.modules)) or 0)",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "slower than" in done.stdout


def test_names_are_shown_as_they_are(slipstream, lake):
    """Markup of the table that they stand in, and what a terminal would obey."""
    results = DeltaTable(str(lake / "lake" / "silver" / "results"))
    for column, name in {"status": "[/bold]", "vehicle_class": "[red]\x1b[2J"}.items():
        results.update(new_values={column: name})
    shown = slipstream("laps", "check")
    assert shown.exit_code == 0, shown.output
    assert "[/bold]" in shown.stdout
    assert "\x1b" not in shown.stdout
    asked = slipstream("sql", "select vehicle_class from silver.results limit 1", "--format", "json")
    assert json.loads(asked.stdout) == [{"vehicle_class": "[red]\x1b[2J"}]
    assert "\\x1b[2J" in slipstream("sql", "select vehicle_class from silver.results limit 1").stdout
