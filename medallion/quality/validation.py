"""Validate what a silver run took in: the suite's counts into ``ops.dq_results``, the pages into Data Docs."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.channel import load_channels
from conf.contract import ContractRule, load_contract
from conf.families import TELEMETRY
from conf.tables import OPS_DQ_RESULTS, OPS_RECONCILIATION, SILVER_TELEMETRY
from medallion.io import Lake
from medallion.quality.expectations import ValidationReport, validate_units
from medallion.silver.decode import DecodedUnits

SUITE = "silver_guard"

_SHARED = ("session_id", "vehicle_id", "arrival_us", "t_us")


def docs_folder(lake: Lake) -> Path:
    """Project folder of Great Expectations in this home."""
    return lake.settings.reports_dir / "quality"


def guard_rules() -> list[tuple[str, ContractRule]]:
    """Rules of the suite: those of the channels, and of the keys that both message forms share."""
    table = load_contract(SILVER_TELEMETRY)
    keys = [(c, r) for c, r in load_contract("event.frame.v1").rules() if c in _SHARED]
    return keys + [(c, r) for c, r in table.rules() if c in load_channels().names]


def guarded_units(bronze: DataFrame) -> DataFrame:
    """All decodable units in one wide form: a reading fills the column of its channel, a sample all of its own."""
    units = DecodedUnits(bronze)
    channels = load_channels()
    samples = units.samples.where("unit_index >= 0").select(*_SHARED, *channels.names, "reasons")
    spread = [
        F.when(F.col("channel") == c.name, F.col("value")).cast("double").alias(c.name) for c in channels.channels
    ]
    readings = units.readings.where("unit_index >= 0").select(*_SHARED, *spread, "reasons")
    return samples.unionByName(readings)


def validate_new_units(lake: Lake, run_id: str) -> ValidationReport | None:
    """Validate the messages accounted for since the last validation; ``None`` where there are none."""
    last = lake.read(OPS_DQ_RESULTS).agg(F.max("run_ts").alias("last"))
    accounts = lake.read(OPS_RECONCILIATION).where(F.col("query").startswith(f"{TELEMETRY.silver_query}:"))
    batches = accounts.join(last).where("last is null or written_ts > last")
    spans = batches.select(F.explode("offsets").alias("tp", "span"))
    bounds = spans.groupBy("tp").agg(F.min("span.from").alias("lo"), F.max("span.to").alias("hi")).collect()
    if not bounds:
        return None
    tp = F.concat_ws("-", "topic", "kafka_partition")
    inside = reduce(lambda a, b: a | b, [(tp == b.tp) & F.col("kafka_offset").between(b.lo, b.hi) for b in bounds])
    units = guarded_units(lake.read(TELEMETRY.bronze).where(inside)).drop("reasons")
    held = units.persist()
    try:
        report = validate_units(held, SUITE, guard_rules(), docs_folder(lake))
    finally:
        held.unpersist()
    _record(lake, report, run_id)
    return report


def _record(lake: Lake, report: ValidationReport, run_id: str) -> None:
    columns = (
        "run_id string, suite string, expectation string, table_name string, column_name string, severity string, "
        "success boolean, evaluated bigint, unexpected bigint, unexpected_pct double, data_docs_url string"
    )
    docs = report.data_docs.as_uri() if report.data_docs else None
    rows = [
        (
            run_id,
            report.suite,
            r.rule,
            SILVER_TELEMETRY,
            r.column,
            r.severity,
            r.success,
            r.evaluated,
            r.unexpected,
            100.0 * r.unexpected / r.evaluated if r.evaluated else None,
            docs,
        )
        for r in report.results
    ]
    found = lake.spark.createDataFrame(rows, columns).withColumn("run_ts", F.current_timestamp())
    lake.append(found, OPS_DQ_RESULTS)
