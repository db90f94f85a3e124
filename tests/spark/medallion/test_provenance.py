"""Every run leaves a row that says what it read, what it wrote, and how it ended."""

from __future__ import annotations

import pytest

from conf.contract import load_contract
from conf.tables import OPS_JOB_RUNS
from medallion.provenance import job_run


def test_a_run_is_recorded_with_its_versions(lake) -> None:
    lake.ensure("silver.sessions")
    rows = lake.spark.createDataFrame([("a",)], "session_id string")
    with job_run(lake, "gold", ("silver.sessions", "silver.telemetry"), ("silver.sessions",)) as run:
        run.rows_in, run.rows_out, run.rows_quarantined = 5, 4, 1
        lake.append(rows, "silver.sessions")
    (row,) = lake.read(OPS_JOB_RUNS).collect()
    assert (row.run_id, row.job, row.status, row.error) == (run.run_id, "gold", "ok", None)
    assert (row.rows_in, row.rows_out, row.rows_quarantined) == (5, 4, 1)
    assert row.input_versions == {"silver.sessions": 0}  # silver.telemetry does not exist
    assert row.output_versions == {"silver.sessions": 1}
    assert row.contract_versions == {"silver.sessions": load_contract("silver.sessions").version}
    assert row.started_ts <= row.ended_ts
    assert row.wall_s > 0
    assert row.settings["slipstream_home"] == str(lake.settings.slipstream_home)
    assert "kafka_config" not in row.settings
    assert row.spark_app_id == lake.spark.sparkContext.applicationId


def test_a_failed_run_is_recorded_and_raises(lake) -> None:
    def failing() -> None:
        with job_run(lake, "silver", (), ()) as run:
            run.rows_in = 3
            raise ValueError("no such thing\nsecond line")

    with pytest.raises(ValueError, match="no such thing"):
        failing()
    (row,) = lake.read(OPS_JOB_RUNS).collect()
    assert (row.status, row.error, row.rows_in) == ("failed", "no such thing", 3)


def test_an_interrupted_run_is_a_failed_one(lake) -> None:
    with pytest.raises(KeyboardInterrupt), job_run(lake, "bronze", (), ()):
        raise KeyboardInterrupt
    (row,) = lake.read(OPS_JOB_RUNS).collect()
    assert (row.status, row.error) == ("failed", "KeyboardInterrupt")
