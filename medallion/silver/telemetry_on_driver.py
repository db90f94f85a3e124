"""A batch of few telemetry units: Spark decodes and gates them, the rest is done on the driver without a query.

A query over a few thousand units costs its planning, and a batch takes a dozen of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Row

from conf.tables import OPS_DQ_RESULTS, OPS_RECONCILIATION, SILVER_CONFLICTS, SILVER_QUARANTINE, SILVER_TELEMETRY
from medallion.arrow_rows import FIRST_US, LAST_US, conform_rows
from medallion.exchange import set_columns
from medallion.io import Lake
from medallion.quality import rule_counts
from medallion.reading import read_table
from medallion.silver import telemetry as t
from medallion.silver.decode import FRAME, READING, DecodedUnits
from medallion.silver.reconciliation import BatchReconciliation, ReconciliationError, reconciliation_row
from medallion.silver.telemetry_outcomes import (
    JudgedUnits,
    conflict_rows,
    count_vehicle_units,
    fill_rows,
    filled_columns,
    hold_readings,
    hold_samples,
    judge_readings,
    judge_samples,
    to_table_rows,
)
from medallion.silver.vehicle_ids import VehicleIds
from medallion.silver.vehicle_units import VehicleUnits, best_clocks, units_part
from medallion.transaction import Txn

_REFUSED: Final = ("unit_index", "session_id", "vehicle_id", "ecu_ts", "reasons", "event_type", "payload_excerpt")
_KEY: Final = list(t.KEY)


@dataclass(frozen=True)
class FewUnits:
    """A batch whose units the driver can have.

    Attributes:
        lake: Where the tables are.
        run_id: Job run that the rows will name.
        query: Name of the query and generation of its checkpoint.
        batch_id: Micro-batch.
        ids: The ids of the lake's cars.
    """

    lake: Lake
    run_id: str
    query: str
    batch_id: int
    ids: VehicleIds

    def promote(self, bronze: DataFrame, offsets: Sequence[Row]) -> BatchReconciliation:
        """Promote the batch, in the order of :meth:`SilverProcessor.process_raw_to_silver`.

        Args:
            bronze: Its messages.
            offsets: From :func:`medallion.silver.reconciliation.batch_offsets`.

        Raises:
            ReconciliationError: If a unit is not accounted for.
        """
        decoded = DecodedUnits(bronze)
        kinds = {o.event_type for o in offsets}
        readings = _collect(decoded.readings, *rule_counts.broken_by_reading()) if READING in kinds else None
        samples = _collect(decoded.samples, rule_counts.broken_by_sample()) if FRAME in kinds else None
        unknown = _collect(decoded.unknown_messages) if kinds - {READING, FRAME} else None
        readings, samples = self._with_same_cars(readings), self._with_same_cars(samples)
        units = [found for found in (readings, samples, unknown) if found is not None]
        cars = [car for form in (readings, samples) if form is not None for car in count_vehicle_units(form)]
        there = self._existing(cars)
        judged = _judge(readings, samples, there)
        refused = [found.filter(pl.col("reasons").is_not_null()) for found in units]
        account = sum((form.account for form in judged), t.UnitOutcomes(0, 0, 0))
        balance = BatchReconciliation(
            messages=sum(o.n for o in offsets),
            units=sum(found.height for found in units),
            **vars(account),
            quarantined=sum(found.height for found in refused),
        )
        if not balance.closes:
            raise ReconciliationError(f"batch {self.batch_id} of {self.query} does not add up: {balance}")
        if balance.quarantined:
            self._append(SILVER_QUARANTINE, _refused_rows(refused), "quarantine", "quarantined_ts")
        if balance.conflicts:
            self._append(SILVER_CONFLICTS, conflict_rows([f.conflicts for f in judged]), "conflicts", "noted_ts")
        row = reconciliation_row(balance, offsets, self.query, self.batch_id, self.run_id)
        self.lake.append_rows(OPS_RECONCILIATION, [row], self._txn("balance"))
        checked = [] if readings is None else [rule_counts.count_reading_rules(readings)]
        checked += [] if samples is None else [rule_counts.count_sample_rules(samples)]
        if checked:
            counts = rule_counts.add_counts(checked)
            rows = rule_counts.dq_result_rows(counts, self.query, self.batch_id, self.run_id)
            self.lake.append_rows(OPS_DQ_RESULTS, rows, self._txn("rules"))
        self._write_rows(judged, cars, there)
        return balance

    def _with_same_cars(self, units: pl.DataFrame | None) -> pl.DataFrame | None:
        """Units whose cars have the ids that they keep."""
        if units is None:
            return None
        sent = units.filter(pl.col("reasons").is_null()).select("session_id", "vehicle_id").unique()
        same = self.ids.find_same_cars(sent.iter_rows())
        if not same:
            return units
        kept = pl.DataFrame([(*vehicle, own) for vehicle, own in same.items()], [*_KEY[:2], "_kept"], orient="row")
        joined = units.join(kept, on=_KEY[:2], how="left", maintain_order="left")
        return joined.with_columns(vehicle_id=pl.coalesce("_kept", "vehicle_id")).drop("_kept")

    def _existing(self, cars: Sequence[VehicleUnits]) -> pl.DataFrame:
        """Rows of the table where the batch's keys are."""
        found = read_table(self.lake, SILVER_TELEMETRY, units_part(cars), [*_KEY, *filled_columns()])
        return pl.DataFrame(pl.from_arrow(found))

    def _write_rows(self, judged: Sequence[JudgedUnits], cars: Sequence[VehicleUnits], there: pl.DataFrame) -> None:
        """Fill rows that are there, then append the others; that says that the batch is done."""
        forms = [form.rows for form in judged if form.rows.height]
        if not forms:
            self.lake.append_rows(SILVER_TELEMETRY, [], self._txn("rows"))
            return
        clocks = best_clocks(self.lake, cars)
        rows = pl.concat([to_table_rows(form, clocks, self.run_id) for form in forms], how="vertical_relaxed")
        fills = fill_rows(there, rows)
        if fills.height:
            set_columns(self.lake, SILVER_TELEMETRY, _to_arrow(fills), units_part(cars), self._txn("fill"))
        new = rows.join(there, on=_KEY, how="anti", maintain_order="left")
        self.lake.append_table(SILVER_TELEMETRY, conform_rows(SILVER_TELEMETRY, _to_arrow(new)), self._txn("rows"))

    def _append(self, table: str, rows: pl.DataFrame, step: str, written_at: str) -> None:
        stamped = rows.with_columns(
            batch_id=pl.lit(self.batch_id, pl.Int64),
            run_id=pl.lit(self.run_id),
            **{written_at: pl.lit(datetime.now(UTC), pl.Datetime("us", "UTC"))},
        )
        self.lake.append_table(table, conform_rows(table, _to_arrow(stamped)), self._txn(step))

    def _txn(self, step: str) -> Txn:
        return Txn(f"{self.query}:{step}", self.batch_id)


def _judge(readings: pl.DataFrame | None, samples: pl.DataFrame | None, there: pl.DataFrame) -> list[JudgedUnits]:
    """Judge both forms: a row is one form's, and the other's units are judged against it."""
    columns = [*_KEY, *t.channel_columns()]
    judged, existing = [], there.select(columns)
    if readings is not None:
        good = hold_readings(_with_instant(readings.filter(pl.col("reasons").is_null())))
        judged.append(judge_readings(good, existing))
        new = judged[0].rows.select(columns).join(existing, on=_KEY, how="anti")
        existing = pl.concat([existing, new], how="vertical_relaxed")
    if samples is not None:
        good = hold_samples(_with_instant(samples.filter(pl.col("reasons").is_null())))
        judged.append(judge_samples(good, existing))
    return judged


def _collect(units: DataFrame, *beside: Column) -> pl.DataFrame:
    """Units on the driver."""
    return pl.DataFrame(pl.from_arrow(units.select("*", *beside).toArrow()))


def _to_arrow(rows: pl.DataFrame) -> pa.Table:
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())


def _with_instant(units: pl.DataFrame) -> pl.DataFrame:
    """Units with ``ecu_ts``, the table's key."""
    return units.with_columns(ecu_ts=pl.col("t_us").cast(pl.Datetime("us", "UTC")))


def _refused_rows(refused: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Rows of ``silver.quarantine``, less what names the batch.

    A time beyond the calendar of other readers would keep them from opening the table.
    """
    origin: dict[str, Any] = {"topic": "bronze_topic", "kafka_partition": "bronze_partition"}
    origin["kafka_offset"] = "bronze_offset"
    clock = pl.when(pl.col("t_us").is_between(FIRST_US, LAST_US)).then("t_us").cast(pl.Datetime("us", "UTC"))
    whole = pl.concat(refused, how="diagonal_relaxed")
    if "t_us" not in whole.columns:
        whole = whole.with_columns(t_us=pl.lit(None, pl.Int64))
    shown = [name for name in _REFUSED if name in (*whole.columns, "ecu_ts")]
    return whole.with_columns(ecu_ts=clock).rename(origin).select(*origin.values(), *shown)
