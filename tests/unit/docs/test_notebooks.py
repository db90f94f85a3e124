"""Each notebook runs from its first cell to its last on a lake with a race, and shows what it says that it shows."""

from __future__ import annotations

import ast
import re
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from conf.contract import table_names
from conf.settings import AppConfig
from serving.lake.reader import LakeReader
from tests.unit.serving.race_lake import SESSION, copy_race, write_rows

REPO = Path(__file__).resolve().parents[3]
NOTEBOOKS = sorted((REPO / "notebooks").glob("*.ipynb"))
ROLES = {"analyst", "coach", "data_engineer", "ml_engineer"}
NO_ROWS = ("ops.step_failures",)  # a race in which nothing failed
STARTED = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A race with what streams, a training and a scoring leave beside it."""
    settings = copy_race(tmp_path_factory.mktemp("home"))
    write_books(settings)
    write_style(settings)
    lake = LakeReader(settings)
    for name in table_names():
        if not lake.exists(name):
            write_rows(settings, name, [])
    return settings.home


def write_books(settings: AppConfig) -> None:
    """Runs, their balance, a refused unit, and a lap that says which run wrote it."""
    run = {"run_id": "run-1", "job": "silver", "status": "ok", "rows_in": 100, "rows_out": 97, "wall_s": 3.5}
    run |= {"started_ts": STARTED, "code_version": "0.1.0", "git_sha": "0" * 40}
    write_rows(settings, "ops.job_runs", [run | {"input_versions": {"bronze.telemetry_events": 3}}])
    units = {"units": 100, "written": 97, "repeats": 1, "conflicts": 1, "quarantined": 1}
    write_rows(
        settings, "ops.reconciliation", [units | {"query": "silver_telemetry:1", "batch_id": i} for i in range(2)]
    )
    reason = {"rule": "speed_possible", "column_name": "speed_kmh", "observed": "900"}
    place = {"bronze_topic": "telemetry.raw", "bronze_partition": 0, "bronze_offset": 7, "unit_index": 0}
    write_rows(settings, "silver.quarantine", [place | {"session_id": SESSION, "reasons": [reason]}])
    write_rows(
        settings,
        "silver.laps",
        [{"session_id": SESSION, "vehicle_id": "sim-late", "lap_number": 1, "run_id": "run-1", "fit_for": []}],
    )


def write_style(settings: AppConfig) -> None:
    """Windows of two drivers who drive otherwise, predictions of them, and what two trainings reached."""
    rng = np.random.default_rng(5)
    windows, predictions = [], []
    for vehicle, label, speed in (("sim-1", "AGGRESSIVE", 140.0), ("sim-2", "NORMAL", 120.0)):
        for second in range(60):
            key = {
                "session_id": SESSION,
                "vehicle_id": vehicle,
                "window_end_ts": STARTED + timedelta(seconds=second),
            }
            values = {"speed_avg_10s": speed + rng.normal(0, 5), "rpm_avg_10s": 5000.0 + rng.normal(0, 300)}
            windows.append(key | values | {"is_complete": True, "style_label": label, "is_synthetic": True})
            probability = float(np.clip(rng.normal(0.8 if label == "AGGRESSIVE" else 0.2, 0.1), 0, 1))
            said = "AGGRESSIVE" if probability > 0.5 else "NORMAL"
            predictions.append(key | {"label": said, "probability_aggressive": probability, "confidence_pct": 80.0})
    write_rows(settings, "gold.telemetry_windows", windows)
    write_rows(settings, "gold.style_predictions", predictions)
    trained = [("a" * 32, 0.80), ("b" * 32, 0.91)]
    write_rows(
        settings,
        "gold.model_metrics",
        [
            {"mlflow_run_id": run, "metric": metric, "value": value, "task": "style", "model_name": "driving-style"}
            | {"logged_ts": STARTED + timedelta(hours=i)}
            for i, (run, value) in enumerate(trained)
            for metric in ("test.accuracy", "test.f1_macro")
        ],
    )


@pytest.fixture
def free_port():
    """A port at which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def shows(source: str) -> bool:
    """Whether a cell ends in something to see: an expression, a message, a figure."""
    last = ast.parse(source).body[-1]
    return not isinstance(last, ast.Assign | ast.Import | ast.ImportFrom)


def seen(cell) -> str:
    """What a run cell shows, as text."""
    return "\n".join(
        str(part)
        for output in cell.outputs
        for part in (output.get("text", ""), *output.get("data", {}).values())
        if part
    )


def test_there_is_one_a_role():
    assert {path.stem for path in NOTEBOOKS} == ROLES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_kept_small_and_without_outputs(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert 8 <= len(book.cells) <= 15
    for cell in book.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
        else:
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", cell.source):
                assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs_and_shows_something(path, home, free_port, tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_HOME", str(home))
    monkeypatch.setenv("MLFLOW_PORT", str(free_port))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for cell in (cell for cell in book.cells if cell.cell_type == "code"):
        text = seen(cell)
        assert [output for output in cell.outputs if output.get("name") == "stderr"] == [], cell.source
        assert bool(text) == shows(cell.source), cell.source
        assert "shape: (0," not in text or any(name in cell.source for name in NO_ROWS), cell.source
        if "plt.subplots" in cell.source or ".plot()" in cell.source:
            assert any("image/png" in output.get("data", {}) for output in cell.outputs), cell.source
    if path.stem == "ml_engineer":
        assert f"No MLflow server answers at http://127.0.0.1:{free_port}" in seen(book.cells[-1])
        assert "0.91" in seen(next(c for c in book.cells if "gold.model_metrics" in c.source and c.cell_type == "code"))
    if path.stem == "data_engineer":
        assert "The books balance." in "".join(seen(cell) for cell in book.cells if cell.cell_type == "code")
