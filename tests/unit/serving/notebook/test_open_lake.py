"""``slipstream.open()`` as an analyst uses it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import slipstream
from conf.errors import InputError
from conf.lake import table_uri
from serving.lake.sql import QueryError
from serving.queries.laps import LapError
from tests.unit.serving.race_lake import SESSION, copy_race, race_home, write_rows


@pytest.fixture(scope="module")
def lake():
    return slipstream.open(race_home().home)


@pytest.fixture(scope="module")
def session(lake):
    return lake.session(SESSION)


def test_an_answer_is_the_same_in_every_form(lake):
    answer = lake.sql("select vehicle_id, count(*) as n from silver.laps group by 1 order by 1")
    rows = answer.rows()
    assert len(answer) == len(rows) == len(lake.session().vehicles)
    assert answer.polars().to_dicts() == answer.pandas().to_dict("records") == answer.arrow().to_pylist() == rows
    assert answer.columns == ["vehicle_id", "n"]
    assert rows[0]["vehicle_id"] in repr(answer)
    assert "<table" in answer._repr_html_()
    assert "long " * 200 in lake.sql("select repeat('long ', 200) || '!' as text")._repr_html_()


def test_one_value(lake):
    n = lake.sql("select count(*) from silver.laps").value()
    assert n == len(lake.table("silver.laps"))
    with pytest.raises(ValueError, match="2 rows and 1 columns is not one value"):
        lake.sql("values (1), (2)").value()


def test_an_answer_is_saved(lake, tmp_path):
    assert lake.sql("select 1 as one").save(tmp_path / "one.csv").read_text() == '"one"\n1\n'


def test_rows_of_a_table_by_their_values(lake, session):
    vehicle = session.vehicles[0]
    rows = lake.table("silver.laps", ["lap_number"], session_id=SESSION, vehicle_id=vehicle)
    assert rows.columns == ["lap_number"]
    assert sorted(row["lap_number"] for row in rows.rows()) == sorted(
        row["lap_number"] for row in session.laps.rows() if row["vehicle_id"] == vehicle
    )


def test_the_versions_of_a_table(tmp_path):
    settings = copy_race(tmp_path)
    lake = slipstream.open(tmp_path)
    before = datetime.now(UTC)
    write_rows(settings, "silver.laps", [{"session_id": "other-R1", "vehicle_id": "a", "lap_number": 1}])
    newest, oldest = lake.history("silver.laps").rows()
    assert [newest["version"], oldest["version"]] == [1, 0]
    assert (newest["operation"], newest["predicate"]) == ("WRITE", None)
    assert "delta-rs" in newest["engine"]
    assert oldest["written_ts"] <= before
    assert newest["written_ts"] >= before - timedelta(milliseconds=1)


def test_which_rows_a_version_replaced(tmp_path):
    settings = copy_race(tmp_path)
    commit = {"timestamp": 1_700_000_000_000, "operation": "WRITE", "operationParameters": {"predicate": "lap = 1"}}
    folder = Path(table_uri("silver.laps", settings)) / "_delta_log"
    (folder / f"{1:020d}.json").write_text(json.dumps({"commitInfo": commit}) + "\n")
    (folder / f"{2:020d}.json").write_text(json.dumps({"commitInfo": {"timestamp": 1_700_000_000_001}}) + "\n")
    unsaid, replaced, _ = slipstream.open(tmp_path).history("silver.laps").rows()
    assert replaced["predicate"] == "lap = 1"
    assert replaced["written_ts"] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert (unsaid["operation"], unsaid["predicate"], unsaid["engine"]) == (None, None, None)


def test_the_best_lap_is_the_quickest_fit_for_pace(session):
    fit = [row["lap_time_ms"] for row in session.laps.rows() if "pace" in row["fit_for"]]
    assert session.best_lap().time_s == min(fit) / 1000
    assert session.best_lap().row.uid == session.lap(session.best_lap().row.vehicle_id).row.uid


def test_a_trace_is_a_lap_from_line_to_line(session):
    lap = session.best_lap()
    trace = lap.trace().polars()
    assert {"t_s", "distance_m", "speed_kmh"} <= set(trace.columns)
    assert 0 <= trace["t_s"].min() < trace["t_s"].max() <= lap.time_s
    assert (np.diff(trace["distance_m"].to_numpy()) >= 0).all()


def test_a_lap_whose_circuit_is_not_known_has_a_trace_too(tmp_path):
    race = copy_race(tmp_path)
    shutil.rmtree(table_uri("silver.sessions", race))
    best = slipstream.open(tmp_path).session().best_lap()
    assert best.trace().polars()["distance_m"].max() > 1000


def test_losses_of_a_comparison_add_up(session):
    best = session.best_lap()
    other = next(session.lap(v) for v in session.vehicles if v != best.row.vehicle_id)
    found = session.compare(other, best)
    assert found.corners.polars()["time_lost_s"].sum() == pytest.approx(other.time_s - best.time_s, abs=1e-6)
    assert found.trace().polars()["delta_s"][-1] == pytest.approx(other.time_s - best.time_s, abs=1e-6)
    assert other.row.uid in repr(found)
    assert found.plot().get_axes()
    assert found.plot()._repr_png_().startswith(b"\x89PNG")  # as a notebook shows it


def test_a_track_is_drawn(session):
    track = session.track
    assert track.length_m == pytest.approx(track.circuit.line.length_m)
    assert track.plot().get_axes()
    assert f"{len(track.circuit.corners)} corners" in repr(track)


def test_what_is_not_there_is_said(lake, session, tmp_path):
    with pytest.raises(InputError, match=r"there are no tables in .*slipstream demo"):
        slipstream.open(tmp_path)
    with pytest.raises(LapError, match=SESSION):
        lake.session("other")
    with pytest.raises(LapError, match="has no vehicle 'nobody'"):
        session.lap("nobody")
    with pytest.raises(InputError, match=r"silver.laps has no column lap; it has .*lap_number"):
        lake.table("silver.laps", lap=1)
    with pytest.raises(QueryError, match="read-only"):
        lake.sql("drop table silver.laps")


def test_lake_and_session_say_what_they_are(lake, session):
    assert SESSION in repr(lake)
    assert f"{len(session.vehicles)} vehicles" in repr(session)


def test_the_package_imports_nothing_until_it_is_asked():
    code = "import sys, slipstream; print(sorted({'pyarrow', 'duckdb', 'polars', 'deltalake'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
