"""The scorer, killed in the middle and started again, leaves the tables that an undisturbed one leaves."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from benchmarks.local_tracker import local_tracker
from benchmarks.small_karma_model import register_small_model
from conf.lake import table_uri
from conf.tables import GOLD_KARMA_LATEST, GOLD_KARMA_SCORES, GOLD_LAP_FEATURES
from ml.karma import MODEL
from tests.karma_sessions import CARS, LAPS, TRACKS, feature_rows, simulated
from tests.slow import SLOW

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


def registered(folder: Path) -> str:
    """Address of a store whose model of wear was learned from simulated laps."""
    tracker = local_tracker(folder, MODEL)
    register_small_model(tracker, *simulated())
    return tracker.uri


def fill(folder: str) -> None:
    """``gold.lap_features`` with a change feed."""
    rows = feature_rows(simulated()[0])
    rows["lap_end_ts"] = rows["lap_end_ts"].dt.tz_localize("UTC")
    integers = (
        "lap_number",
        "feature_version",
        "sample_count",
        "impact_count",
        "gear_shift_count",
        "downshift_count",
        "skipped_gear_count",
        "brake_spike_count",
        "throttle_drop_count",
        "steering_corrections",
        "harsh_downshift_count",
    )
    rows = rows.astype({name: np.int32 for name in integers if name in rows})
    table = pa.Table.from_pandas(rows, preserve_index=False)
    table = table.set_column(
        table.column_names.index("lap_end_ts"), "lap_end_ts", table["lap_end_ts"].cast(pa.timestamp("us", "UTC"))
    )
    write_deltalake(folder, table, partition_by=["session_id"], configuration={"delta.enableChangeDataFeed": "true"})


def test_killed_on_the_way_it_ends_with_the_same_tables(new_home, tmp_path) -> None:
    quiet, killed = new_home("127.0.0.1:1"), new_home("127.0.0.1:1")
    uri = registered(tmp_path)
    fill(table_uri(GOLD_LAP_FEATURES, quiet.settings))
    shutil.copytree(quiet.settings.home / "lake", killed.settings.home / "lake")
    for home in (quiet, killed):
        home.env["MLFLOW_TRACKING_URI"] = uri
    once = ("streaming.karma", "--once")
    quiet.run(*once)
    if SLOW:
        killed.kill_when(killed.commit(GOLD_KARMA_SCORES, 0), *once)  # the table is there, nothing in it
    killed.kill_when(killed.commit(GOLD_KARMA_SCORES, 1), *once)  # scores are there, the last of each car are not
    said = killed.run(*once)
    assert said.startswith("karma: ")
    laps = sum(map(len, TRACKS.values())) * CARS * LAPS
    for name in (GOLD_KARMA_SCORES, GOLD_KARMA_LATEST):
        one, other = (home.table(name).drop("scored_ts") for home in (quiet, killed))
        assert one.equals(other)
        assert one.height == (laps if name == GOLD_KARMA_SCORES else one["vehicle_id"].n_unique()) * 6
