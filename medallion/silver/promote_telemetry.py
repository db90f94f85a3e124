"""Bronze to silver, one micro-batch at a time, every unit accounted for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from functools import reduce

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from conf.families import TELEMETRY
from conf.tables import (
    OPS_DQ_RESULTS,
    OPS_RECONCILIATION,
    SILVER_CONFLICTS,
    SILVER_QUARANTINE,
    SILVER_TELEMETRY,
)
from medallion.io import Lake
from medallion.quality import rule_counts
from medallion.reading import count_rows
from medallion.samples import are_few_messages
from medallion.schema import known_instant
from medallion.silver import telemetry as t
from medallion.silver.decode import FRAME, READING, DecodedUnits, bronze_origin
from medallion.silver.reconciliation import BatchReconciliation, ReconciliationError, batch_offsets, reconciliation_row
from medallion.silver.recovery import CheckpointRecovery
from medallion.silver.telemetry_on_driver import FewUnits
from medallion.silver.vehicle_ids import VehicleIds, with_same_cars
from medallion.silver.vehicle_units import VehicleUnits, best_clocks, units_part
from medallion.transaction import Txn

_PLACE = ("topic", "kafka_partition", "kafka_offset", "unit_index")
_BROADCAST_ROWS = 500_000  # what a join may send to every executor: a few narrow columns


@dataclass(frozen=True)
class _MessageForm:
    """What the messages of one form bring to the table.

    Attributes:
        rows: Wide rows, one a key.
        account: What became of the units that passed the gate.
        conflicts: Units that contradict what was there first.
        existing: Rows of the table that ``rows`` may only add cells to.
    """

    rows: DataFrame
    account: t.UnitOutcomes
    conflicts: DataFrame | None = None
    existing: DataFrame | None = None


class SilverProcessor:
    """Promotes bronze messages to silver.

    Args:
        lake: Where the tables are.
        run_id: Job run that the rows will name.
    """

    def __init__(self, lake: Lake, run_id: str) -> None:
        self.lake = lake
        self.run_id = run_id
        self._recovery = CheckpointRecovery(lake, TELEMETRY)
        self.ids = VehicleIds(lake, run_id)

    def process_raw_to_silver(self, bronze: DataFrame, batch_id: int, query: str) -> BatchReconciliation | None:
        """Validate, normalise and promote one batch (V10).

        Delivery order, each step written at most once under (query, batch): quarantine, conflicts, reconciliation,
        counts of the rules, cells added to existing rows, new rows. The new rows come last, so their transaction says
        that the batch is done; a batch that was killed anywhere before is computed again from the same messages
        against the same table, and the steps it had done are skipped.

        Args:
            bronze: Rows of ``bronze.telemetry_events``.
            batch_id: Micro-batch.
            query: Name of the query and generation of its checkpoint.

        Returns:
            The balance, or ``None`` where the batch had been completed before.

        Raises:
            ReconciliationError: If a unit is not accounted for.
        """
        return self._recovery.promote_once(bronze, batch_id, query, self._promote)

    def _promote(self, bronze: DataFrame, batch_id: int, query: str) -> BatchReconciliation:
        messages = self._recovery.not_yet_accounted(bronze, query)
        offsets = batch_offsets(messages)
        if are_few_messages(self.lake, sum(o.bytes for o in offsets)):
            return FewUnits(self.lake, self.run_id, query, batch_id, self.ids).promote(messages, offsets)
        batch = _Batch(self, messages, batch_id, query)
        try:
            return batch.promote(offsets)
        finally:
            batch.release()


class _Batch:
    """One batch in progress; holds cached frames until it is released."""

    def __init__(self, processor: SilverProcessor, bronze: DataFrame, batch_id: int, query: str) -> None:
        self.lake = processor.lake
        self.run_id = processor.run_id
        self.batch_id = batch_id
        self.query = query
        self._cached: list[DataFrame] = []
        self.bronze = bronze
        self.ids = processor.ids

    def txn(self, step: str) -> Txn:
        return Txn(f"{self.query}:{step}", self.batch_id)

    def cache(self, df: DataFrame) -> DataFrame:
        """Compute ``df`` now and cut its plan off: what is built on it is analysed in milliseconds, not seconds."""
        held = df.localCheckpoint(eager=True, storageLevel=StorageLevel.MEMORY_AND_DISK)
        self._cached.append(held)
        return held

    def release(self) -> None:
        for df in self._cached:
            df._jdf.queryExecution().analyzed().rdd().unpersist(False)

    def promote(self, offsets: list[Row]) -> BatchReconciliation:
        self.origins = sorted({(o.topic, o.source) for o in offsets}, key=str)
        self.cars: list[VehicleUnits] = []
        checked: list[rule_counts.RuleCounts] = []
        units = DecodedUnits(self.bronze)
        n_unknown = sum(o.n for o in offsets if o.event_type not in (READING, FRAME))
        quarantined = [_refused_messages(units)] if n_unknown else []
        n_units = n_refused = n_unknown
        forms: dict[str, _MessageForm] = {}
        for name in (READING, FRAME):
            if not any(o.event_type == name for o in offsets):
                continue
            part = units.readings if name == READING else units.samples
            units_of_form = self.cache(t.with_origin(t.with_event_key(part), self.origins))
            cars, counts = _count_units(units_of_form, name)
            if same := self.ids.find_same_cars((c.session_id, c.vehicle_id) for c in cars if c.n > c.n_bad):
                units_of_form = self.cache(with_same_cars(units_of_form, same))
                cars, counts = _count_units(units_of_form, name)
            checked.append(counts)
            total, bad = sum(c.n for c in cars), sum(c.n_bad for c in cars)
            n_units, n_refused = n_units + total, n_refused + bad
            if bad:
                quarantined.append(_refused_units(units_of_form))
            if total > bad:
                self.cars += cars
                good = units_of_form.where(F.col("reasons").isNull()).drop("reasons")
                forms[name] = (
                    self._readings(t.hold_readings(good), cars)
                    if name == READING
                    else self._samples(t.hold_samples(good), cars, forms[READING].rows if forms else None)
                )
        account = sum((f.account for f in forms.values()), t.UnitOutcomes(0, 0, 0))
        messages = sum(o.n for o in offsets)
        balance = BatchReconciliation(messages, n_units, account.written, account.repeats, account.conflicts, n_refused)
        if not balance.closes:
            raise ReconciliationError(f"batch {self.batch_id} of {self.query} does not add up: {balance}")
        self._write(balance, offsets, quarantined, rule_counts.add_counts(checked), forms)
        return balance

    # ---- the two forms

    def _readings(self, readings: DataFrame, cars: list[VehicleUnits]) -> _MessageForm:
        wide = self.cache(t.pivot_readings(readings))
        n_units, n_cells = wide.agg(F.sum("n_units"), F.sum("n_readings")).first()  # type: ignore[misc]
        existing = self._existing(wide, cars)
        if n_units == n_cells and existing is None:
            return _MessageForm(wide, t.UnitOutcomes(n_cells, 0, 0))
        contested = t.classify_readings(readings, _resolve_contested(wide, existing))
        status = self.cache(contested.select(*t.KEY, *_PLACE, "channel", "value", "status", "arrival_us", "warn"))
        counts = _by_status(status)
        n_contested = sum(counts.values())
        written = n_units - n_contested + counts.get("written", 0)
        account = t.UnitOutcomes(written, counts.get("repeat", 0), counts.get("conflict", 0))
        placed = t.with_lineage(wide, _broadcast(t.written_lineage(status), n_contested))
        return _MessageForm(placed, account, status.where("status = 'conflict'"), existing)

    def _samples(self, samples: DataFrame, cars: list[VehicleUnits], readings: DataFrame | None) -> _MessageForm:
        """Only samples whose key may be there twice are compared: a hash finds them without moving whole rows."""
        total = sum(c.n - c.n_bad for c in cars)
        first = self._existing(samples, cars)
        if readings is not None:  # one car that sends both forms: a row is one form's, the other's is judged against it
            first = _existing_rows(first, readings)
        again = samples.groupBy(_hash()).agg(F.count(F.lit(1)).alias("n")).where("n > 1").select("h")
        doubtful = self.cache(again if first is None else again.unionByName(first.select(_hash())))
        n_doubtful = doubtful.count()
        if not n_doubtful:
            return _MessageForm(t.sample_rows(samples), t.UnitOutcomes(total, 0, 0))
        contested = samples.withColumn("h", _hash()).join(_broadcast(doubtful, n_doubtful), "h", "left_semi")
        status = self.cache(_classify_samples(contested, first))
        counts = _by_status(status)
        repeats, conflicts = counts.get("repeat", 0), counts.get("conflict", 0)
        refused = _broadcast(status.where("status <> 'written'").select(*_PLACE), repeats + conflicts)
        rows = t.sample_rows(samples.join(refused, list(_PLACE), "left_anti"))
        written = total - sum(counts.values()) + counts.get("written", 0)
        return _MessageForm(rows, t.UnitOutcomes(written, repeats, conflicts), status.where("status = 'conflict'"))

    def _existing(self, keys: DataFrame, cars: list[VehicleUnits]) -> DataFrame | None:
        """Key and channels of the table's rows whose key is in the batch, ``None`` where there are none."""
        part = units_part(cars)
        if not count_rows(self.lake, SILVER_TELEMETRY, part):
            return None
        table = self.lake.read(SILVER_TELEMETRY).where(part.pruning().sql())
        found = table.select(*t.KEY, *t.channel_columns()).join(keys.select(*t.KEY), list(t.KEY), "left_semi")
        found = self.cache(found)
        return None if found.isEmpty() else found

    # ---- writing

    def _write(
        self,
        balance: BatchReconciliation,
        offsets: list[Row],
        quarantined: list[DataFrame],
        checked: rule_counts.RuleCounts,
        forms: dict[str, _MessageForm],
    ) -> None:
        now = F.current_timestamp()
        stamp = {"batch_id": F.lit(self.batch_id).cast("bigint"), "run_id": F.lit(self.run_id)}
        if quarantined:
            refused = reduce(DataFrame.unionByName, quarantined)
            self.lake.append(
                refused.withColumns(stamp | {"quarantined_ts": now}), SILVER_QUARANTINE, self.txn("quarantine")
            )
        if balance.conflicts:
            contradicted = [f.conflicts for f in forms.values() if f.conflicts is not None]
            listed = reduce(DataFrame.unionByName, [_conflict_rows(c) for c in contradicted])
            self.lake.append(listed.withColumns(stamp | {"noted_ts": now}), SILVER_CONFLICTS, self.txn("conflicts"))
        account = reconciliation_row(balance, offsets, self.query, self.batch_id, self.run_id)
        self.lake.append_rows(OPS_RECONCILIATION, [account], self.txn("balance"))
        if checked:
            counts = rule_counts.dq_result_rows(checked, self.query, self.batch_id, self.run_id)
            self.lake.append_rows(OPS_DQ_RESULTS, counts, self.txn("rules"))
        if forms:
            self._write_rows(forms)
        else:
            self.lake.append_rows(SILVER_TELEMETRY, [], self.txn("rows"))

    def _write_rows(self, forms: dict[str, _MessageForm]) -> None:
        best = [astuple(clock) for clock in best_clocks(self.lake, self.cars)]
        clocks = self.lake.spark.createDataFrame(best, t.CLOCK_SCHEMA)
        new = []
        for form in forms.values():
            rows = form.rows
            if form.existing is not None:
                self._fill(t.to_table_rows(rows, clocks, self.origins, self.run_id), form.existing)
                rows = rows.join(form.existing.select(*t.KEY), list(t.KEY), "left_anti")
            new.append(rows)
        wide = reduce(DataFrame.unionByName, new)
        self.lake.append(t.to_table_rows(wide, clocks, self.origins, self.run_id), SILVER_TELEMETRY, self.txn("rows"))

    def _fill(self, rows: DataFrame, existing: DataFrame) -> None:
        """Add cells that existing rows lack."""
        lacks = [
            F.when(F.col(f"e.{c}").isNull() & F.col(f"r.{c}").isNotNull(), 1).otherwise(0) for c in t.channel_columns()
        ]
        filled = reduce(Column.__add__, lacks)
        fills = (
            rows.alias("r")
            .join(existing.alias("e"), list(t.KEY))
            .withColumn("n_filled", filled)
            .where("n_filled > 0")
            .select("r.*", "n_filled")
        )
        self.lake.update_matched(
            self.cache(fills),
            SILVER_TELEMETRY,
            t.fill_assignments(),
            prune=units_part(self.cars).pruning().sql("t."),
            txn=self.txn("fill"),
        )


# ---- pure pieces


def _count_units(units: DataFrame, form: str) -> tuple[list[VehicleUnits], rule_counts.RuleCounts]:
    """Units by vehicle, and what each rule found in them, in one query.

    Microseconds, as a datetime would be in the machine's time zone.
    """
    good, clock = F.col("reasons").isNull(), F.unix_micros("ecu_ts")
    by_vehicle = (
        F.count(F.lit(1)).alias("n"),
        F.count(F.when(~good, 1)).alias("n_bad"),
        F.min(F.when(good, clock)).alias("first_us"),
        F.max(F.when(good, clock)).alias("last_us"),
        F.min(F.when(good, F.col("arrival_us") - clock)).alias("late_us"),
    )
    vehicle = ["session_id", "vehicle_id"]
    if form == READING:
        rows = units.groupBy(*vehicle, "channel").agg(*by_vehicle, *rule_counts.reading_aggregates()).collect()
        return _vehicle_units(rows), rule_counts.sum_reading_counts(rows)
    rows = units.groupBy(*vehicle).agg(*by_vehicle, *rule_counts.sample_aggregates()).collect()
    return _vehicle_units(rows), rule_counts.sum_sample_counts(rows)


def _vehicle_units(rows: Iterable[Row]) -> list[VehicleUnits]:
    """Counts and spans by vehicle of rows that have some for each."""
    parts: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        parts[row.session_id, row.vehicle_id].append(row)
    return [
        VehicleUnits(
            *vehicle,
            n=sum(row.n for row in found),
            n_bad=sum(row.n_bad for row in found),
            first_us=min((row.first_us for row in found if row.first_us is not None), default=None),
            last_us=max((row.last_us for row in found if row.last_us is not None), default=None),
            late_us=min((row.late_us for row in found if row.late_us is not None), default=None),
        )
        for vehicle, found in parts.items()
    ]


def _hash() -> Column:
    """A number in place of a sample's key; two keys with the same one are told apart later."""
    return F.xxhash64(*t.KEY).alias("h")


def _by_status(status: DataFrame) -> dict[str, int]:
    return {row["status"]: row["count"] for row in status.groupBy("status").count().collect()}


def _broadcast(df: DataFrame, rows: int) -> DataFrame:
    """``df`` with the hint to send it to every executor, where it is small enough for that."""
    return F.broadcast(df) if rows <= _BROADCAST_ROWS else df


def _refused_messages(units: DecodedUnits) -> DataFrame:
    none = F.lit(None)
    return units.unknown_messages.select(
        *bronze_origin(),
        "unit_index",
        none.cast("string").alias("session_id"),
        none.cast("string").alias("vehicle_id"),
        none.cast("timestamp").alias("ecu_ts"),
        "reasons",
        "event_type",
        "payload_excerpt",
    )


def _refused_units(units: DataFrame) -> DataFrame:
    # A clock beyond the calendar of other readers would keep them from opening the table.
    clock = known_instant(F.col("ecu_ts")).alias("ecu_ts")
    return units.where(F.col("reasons").isNotNull()).select(
        *bronze_origin(),
        "unit_index",
        "session_id",
        "vehicle_id",
        clock,
        "reasons",
        "event_type",
        "payload_excerpt",
    )


def _resolve_contested(wide: DataFrame, existing: DataFrame | None) -> DataFrame:
    """Contested rows with the value that each cell keeps, and the channels that the table already had."""
    channels = t.channel_columns()
    mine = wide.alias("w").withColumn("crowded", F.col("n_units") > F.col("n_readings"))
    if existing is None:
        kept = F.create_map(*(x for c in channels for x in (F.lit(c), F.col(c).cast("double"))))
        nothing = F.array().cast("array<string>")
        return mine.where("crowded").select(*t.KEY, kept.alias("winner"), nothing.alias("taken"))
    theirs = existing.select(*t.KEY, *(F.col(c).alias(f"old_{c}") for c in channels), F.lit(True).alias("known"))
    both = mine.join(theirs, list(t.KEY), "left").where(F.col("crowded") | F.col("known"))
    kept = F.create_map(
        *(x for c in channels for x in (F.lit(c), F.coalesce(F.col(f"old_{c}"), F.col(c)).cast("double")))
    )
    taken = F.array_compact(F.array(*(F.when(F.col(f"old_{c}").isNotNull(), F.lit(c)) for c in channels)))
    return both.select(*t.KEY, kept.alias("winner"), taken.alias("taken"))


def _existing_rows(existing: DataFrame | None, readings: DataFrame) -> DataFrame:
    """Key and channels of the rows that samples are judged against when the batch's readings come first."""
    columns = [*t.KEY, *t.channel_columns()]
    if existing is None:
        return readings.select(*columns)
    new = readings.select(*columns).join(existing.select(*t.KEY), list(t.KEY), "left_anti")
    return new.unionByName(existing.select(*columns))


def _classify_samples(samples: DataFrame, existing: DataFrame | None) -> DataFrame:
    """Status of each sample: the first of its key is written, an equal one a repeat, another a conflict."""
    content = F.struct(*t.channel_columns())
    group = Window.partitionBy(*t.KEY).orderBy("kafka_offset", "unit_index")
    ranked = samples.select(
        *t.KEY,
        "topic",
        "kafka_partition",
        "kafka_offset",
        "unit_index",
        content.alias("content"),
        F.first(content).over(group).alias("kept"),
        F.row_number().over(group).alias("rank"),
    )
    if existing is not None:
        theirs = existing.select(*t.KEY, content.alias("theirs"))
        ranked = ranked.join(theirs, list(t.KEY), "left")
        in_table = F.col("theirs.speed_kmh").isNotNull() | F.col("theirs").isNotNull()
        kept = F.when(in_table, F.col("theirs")).otherwise(F.col("kept"))
        first = (F.col("rank") == 1) & ~in_table
    else:
        kept, first = F.col("kept"), F.col("rank") == 1
    status = F.when(first, "written").when(F.col("content").eqNullSafe(kept), "repeat").otherwise("conflict")
    differing = [
        F.when(
            ~F.col("content")[c].eqNullSafe(kept[c]),
            F.struct(F.lit(c).alias("name"), F.col("content")[c].cast("double").alias("value")),
        )
        for c in t.channel_columns()
    ]
    against = F.array_compact(F.array(*differing))
    return ranked.select(
        *t.KEY,
        "topic",
        "kafka_partition",
        "kafka_offset",
        "unit_index",
        F.array_join(F.transform(against, lambda one: one["name"]), ", ").alias("channel"),
        F.get(against, 0)["value"].alias("value"),
        status.alias("status"),
    )


def _conflict_rows(status: DataFrame) -> DataFrame:
    return status.select(
        *bronze_origin(),
        "unit_index",
        "session_id",
        "vehicle_id",
        "ecu_ts",
        "ecu_seq",
        "channel",
        F.col("value").alias("refused_value"),
    )
