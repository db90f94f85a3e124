"""Old messages leave bronze once silver has them: the streams go on, and the lake still adds up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from conf.families import TELEMETRY
from conf.tables import OPS_RETENTION, SILVER_TELEMETRY
from jobs.retention import enforce_bronze_retention, plan_removals
from medallion.io import Lake
from medallion.provenance import JobRun
from serving.lake.balance import reconcile_lake
from serving.lake.reader import LakeReader
from streaming.query import Trigger
from streaming.silver import start_telemetry
from tests.spark.messages import T0, Stored, reading, stored

TODAY = datetime.now(UTC).date()


def put(lake: Lake, rows: Sequence[Stored], day: date) -> None:
    lake.append_rows(TELEMETRY.bronze, [row._asdict() | {"ingest_date": day} for row in rows])


def drain(lake: Lake) -> int:
    run = JobRun("silver")
    start_telemetry(lake, run, Trigger(once=True)).awaitTermination()
    return run.rows_in


def test_old_messages_go_when_silver_has_them_and_the_streams_go_on(lake: Lake) -> None:
    sent = stored([reading("speed", 100.0 + k, T0 + k * 40_000) for k in range(30)], partitions=1)
    kept = lake.settings.model_copy(update={"bronze_retention_days": 7})
    keeping = Lake(lake.spark, kept)
    put(lake, sent[:10], TODAY - timedelta(days=30))
    put(lake, sent[10:20], TODAY - timedelta(days=8))
    put(lake, sent[20:25], TODAY - timedelta(days=7))
    assert not [*plan_removals(kept)], "silver has none of them"
    assert drain(lake) == 25
    assert enforce_bronze_retention(lake, "run") is None, "the settings say nothing"

    assert enforce_bronze_retention(keeping, "run") == (
        "20 messages of bronze are removed, those of more than 7 days ago that silver has taken in"
    )
    reader = LakeReader(kept)
    assert reader.frame(TELEMETRY.bronze, columns=("kafka_offset",))["kafka_offset"].sort().to_list() == [
        *range(20, 25)
    ]
    (row,) = reader.rows(OPS_RETENTION)
    assert (row["topic"], row["kafka_partition"], row["kept_from"]) == ("telemetry.raw", 0, 20)
    balance = reconcile_lake(reader)
    assert balance.closes, balance.summary

    put(lake, sent[25:], TODAY)
    assert drain(lake) == 5, "what was removed is no news to the stream, and stops it not"
    assert LakeReader(kept).frame(SILVER_TELEMETRY, columns=("ecu_ts",)).height == 30
    balance = reconcile_lake(LakeReader(kept))
    assert balance.closes, balance.summary
    assert (balance.bronze_rows, balance.total.messages) == (10, 30)
    assert enforce_bronze_retention(keeping, "run") == (
        "0 messages of bronze are removed, those of more than 7 days ago that silver has taken in"
    )
