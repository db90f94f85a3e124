"""``up``, ``down``, ``status`` and ``doctor`` where nothing runs."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import date

import polars as pl
import pytest
from deltalake import write_deltalake

from conf.lake import table_uri
from conf.settings import get_settings


def test_dry_runs_touch_nothing(slipstream, lake_home):
    assert "would start kafka and mlflow" in slipstream("up", "--dry-run").stdout
    assert "would start kafka," in slipstream("up", "--dry-run", "--service", "kafka").stdout
    assert "would stop nothing" in slipstream("down", "--dry-run").stdout
    assert not lake_home.exists()


def test_status(slipstream):
    assert slipstream("status").stdout.splitlines()[-1] == "0 of 2 services are up"
    found = json.loads(slipstream("status", "--format", "json").stdout)
    assert [(each["name"], each["state"]) for each in found] == [("kafka", "down"), ("mlflow", "down")]


@pytest.mark.parametrize("command", ["up", "down"])
def test_an_unknown_service_is_refused(slipstream, command):
    result = slipstream(command, "--service", "zookeeper")
    assert result.exit_code == 2
    assert "neither kafka nor mlflow" in result.stderr
    assert "\x1b" not in slipstream(command, "--service", "\x1b[2J").stderr


@pytest.fixture
def bronze(lake_home):
    """Bronze with an offset that is missing."""
    rows = pl.DataFrame(
        {"topic": "t", "kafka_partition": 0, "kafka_offset": [0, 1, 3], "ingest_date": date(2024, 1, 1)}
    )
    write_deltalake(table_uri("bronze.telemetry_events", get_settings()), rows)


def test_doctor_balances_the_lake_and_fails_on_a_gap(slipstream, bronze):
    result = slipstream("doctor", "--format", "json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["ok"] is False
    assert found["balance"]["bronze_rows"] == 3
    states = {check["name"]: check["state"] for check in found["balance"]["checks"]}
    assert states["t-0: no offset missing"] == "failed"
    shown = slipstream("doctor")
    assert shown.exit_code == 1, shown.exception
    text = shown.stdout
    assert "the balance does NOT close: t-0: no offset missing" in text
    assert text.splitlines()[-1].startswith("failed: ")


def test_doctor_tells_whom_the_settings_name(slipstream, bronze, tmp_path, monkeypatch):
    keep = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    monkeypatch.setenv("ALERT_COMMAND", shlex.join([sys.executable, "-c", keep, str(tmp_path / "told")]))
    get_settings.cache_clear()
    assert slipstream("doctor").exit_code == 1
    told = json.loads((tmp_path / "told").read_text())
    assert (told["alert"], told["job"]) == ("balance", "doctor")
    assert "the balance does NOT close: t-0: no offset missing" in told["message"]
    monkeypatch.setenv("ALERT_COMMAND", shlex.join([sys.executable, "-c", "raise SystemExit(4)"]))
    get_settings.cache_clear()
    failed = slipstream("doctor")
    assert "the alert was not handed on: ALERT_COMMAND" in failed.stderr
    assert failed.stdout.splitlines()[-1].startswith("failed: ")


def test_doctor_on_an_empty_home(slipstream):
    found = json.loads(slipstream("doctor", "--format", "json").stdout)
    assert found["balance"]["empty"] is True
    assert {"Python", "Java", "lake"} <= {check["name"] for check in found["checks"]}
    assert "balance" not in {check["name"] for check in found["checks"]}


def test_doctor_says_when_a_table_cannot_be_read(slipstream, bronze):
    log = next((get_settings().home / "lake" / "bronze" / "telemetry_events" / "_delta_log").glob("*.json"))
    log.write_text("{")
    found = json.loads(slipstream("doctor", "--format", "json").stdout)
    assert found["balance"] is None
    assert [c["outcome"] for c in found["checks"] if c["name"] == "balance"] == ["fail"]
