"""What the doctor says of a lake."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

from conf.lake import table_uri
from conf.settings import AppConfig
from conf.tables import OPS_STEP_FAILURES
from infra.doctor import Finding, run_checks


def steps(home: AppConfig) -> list[Finding]:
    return [check for check in run_checks(home) if check.name == "steps"]


def failure(n: int) -> dict[str, object]:
    return {
        "step": "silver.clock_offsets",
        "session_id": "vir-R1",
        "vehicle_id": f"car-{n}",
        "reason": "ValueError: no",
        "remedy": "mend it",
        "failed_ts": datetime(2026, 1, 1, 12, n, tzinfo=UTC),
    }


def test_who_was_left_out_is_named_with_reason_and_remedy(home: AppConfig) -> None:
    assert steps(home) == []
    write_deltalake(table_uri(OPS_STEP_FAILURES, home), pl.DataFrame([failure(1)]))
    assert steps(home) == [
        Finding("steps", "warn", "silver.clock_offsets lacks session vir-R1, vehicle car-1: ValueError: no", "mend it")
    ]


def test_of_many_the_latest_are_named_and_the_rest_counted(home: AppConfig) -> None:
    write_deltalake(table_uri(OPS_STEP_FAILURES, home), pl.DataFrame([failure(n) for n in range(8)]))
    found = steps(home)
    assert [check.detail.partition("vehicle ")[2][:5] for check in found[:5]] == [f"car-{n}" for n in (7, 6, 5, 4, 3)]
    assert found[5].detail == "3 more in ops.step_failures"
    assert len(found) == 6


def test_a_torn_table_is_a_finding(home: AppConfig) -> None:
    uri = table_uri(OPS_STEP_FAILURES, home)
    write_deltalake(uri, pl.DataFrame([failure(1)]))
    (home.home / "lake/ops/step_failures/_delta_log/00000000000000000000.json").write_bytes(b"torn")
    (check,) = steps(home)
    assert check.outcome == "fail"
    assert uri in check.detail


def test_secrets_that_others_can_read_are_named(
    home: AppConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    key, env = tmp_path / "key.pem", tmp_path / ".env"
    for path in (key, env):
        path.write_text("hush")
        path.chmod(0o644)
    settings = home.model_copy(update={"kafka_ssl_key": key})
    found = [check for check in run_checks(settings) if check.name == "secrets"]
    assert [check.remedy for check in found] == [f"chmod 600 {env}", f"chmod 600 {key}"]
    for path in (key, env):
        path.chmod(0o600)
    assert not [check for check in run_checks(settings) if check.name == "secrets"]


def test_what_a_check_stumbles_over_is_a_finding(home: AppConfig) -> None:
    record = home.home / "run" / "kafka.json"
    record.parent.mkdir(parents=True)
    for broken in (b"{", b"\xff\xfe", b"[]", b'{"name": "kafka", "pid": "x", "ports": 3}'):
        record.write_bytes(broken)
        found = run_checks(home)
        assert any(str(record) in check.detail for check in found if check.outcome == "fail")
        assert {"Python", "disk", "lake"} <= {check.name for check in found}
