"""Bronze to silver, one micro-batch at a time, every unit accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from conf.contract import load_contract
from medallion.io import Lake, Txn
from medallion.silver import telemetry as t
from medallion.silver.decode import FRAME, READING, Units, decode
from medallion.silver.takeover import (
    CONFLICTS,
    QUARANTINE,
    RECONCILIATION,
    abandoned_batches,
    drop_unaccounted,
    not_yet_accounted,
)

Forms = dict[str, DataFrame]
"""Wide rows by the event type that they came in."""
_PLACE = ("topic", "kafka_partition", "kafka_offset", "unit_index")


@dataclass(frozen=True)
class BatchBalance:
    """The account of one batch: ``units = written + repeats + conflicts + quarantined``."""

    messages: int
    units: int
    written: int
    repeats: int
    conflicts: int
    quarantined: int

    @property
    def closes(self) -> bool:
        """Whether the balance closes."""
        return self.units == self.written + self.repeats + self.conflicts + self.quarantined


class BalanceError(RuntimeError):
    """A batch whose units do not add up; it is not committed."""


class SilverProcessor:
    """Promotes bronze messages to silver.

    Args:
        lake: Where the tables are.
        run_id: Job run that the rows will name.
    """

    def __init__(self, lake: Lake, run_id: str) -> None:
        self.lake = lake
        self.run_id = run_id

    def process_raw_to_silver(self, bronze: DataFrame, batch_id: int, query: str) -> BatchBalance | None:
        """Validate, normalise and promote one batch (V10).

        Delivery order, each step written at most once under (query, batch): quarantine, conflicts, reconciliation,
        cells added to existing rows, new rows. The new rows come last, so their transaction says that the batch is
        done; a batch that was killed anywhere before is computed again from the same messages against the same table,
        and the steps it had done are skipped.

        Args:
            bronze: Rows of ``bronze.telemetry_events``.
            batch_id: Micro-batch.
            query: Name of the query and generation of its checkpoint.

        Returns:
            The balance, or ``None`` where the batch had been completed before.

        Raises:
            BalanceError: If a unit is not accounted for.
        """
        done = self.lake.last_txn(t.TABLE, f"{query}:rows")
        if done is not None and done >= batch_id:
            return None
        if done is None:
            self._take_over(query)
        return self._promote(bronze, batch_id, query)

    def _take_over(self, query: str) -> None:
        """Finish what an earlier checkpoint generation left, under its own id, so that nothing is written twice."""
        for left in abandoned_batches(self.lake, query):
            self._promote(left.bronze, left.batch_id, left.query)
        drop_unaccounted(self.lake, query)

    def _promote(self, bronze: DataFrame, batch_id: int, query: str) -> BatchBalance:
        batch = _Batch(self, bronze, batch_id, query)
        try:
            return batch.promote()
        finally:
            batch.release()


class _Batch:
    """One batch on its way; holds what is cached until it is released."""

    def __init__(self, processor: SilverProcessor, bronze: DataFrame, batch_id: int, query: str) -> None:
        self.lake = processor.lake
        self.run_id = processor.run_id
        self.batch_id = batch_id
        self.query = query
        self._cached: list[DataFrame] = []
        self.bronze = not_yet_accounted(self.lake, bronze, query)

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

    def promote(self) -> BatchBalance:
        offsets = _offsets(self.bronze).collect()
        messages = sum(o.n for o in offsets)
        forms = {o.event_type for o in offsets}
        self.origins = sorted({(o.topic, o.source) for o in offsets}, key=str)
        units = decode(self.bronze)
        quarantined = [_refused_messages(units)]
        rows: dict[str, DataFrame] = {}
        accounts: list[t.Account] = []
        n_units = n_bad = 0
        conflicts: list[DataFrame] = []
        parts = [(READING, units.readings, self._readings), (FRAME, units.samples, self._samples)]
        for form, part, promote in parts:
            if form not in forms:
                continue
            judged = self.cache(t.with_origin(t.keyed(part), self.origins))
            total, bad = judged.agg(F.count(F.lit(1)), F.count(F.when(F.col("reasons").isNotNull(), 1))).first()  # type: ignore[misc]
            n_units, n_bad = n_units + total, n_bad + bad
            if bad:
                quarantined.append(_refused_units(judged))
            if total > bad:
                good = judged.where(F.col("reasons").isNull()).drop("reasons")
                rows[form], account, contradicted = promote(good, rows)
                accounts.append(account)
                conflicts += contradicted
        refused = self.cache(reduce(DataFrame.unionByName, quarantined))
        n_refused = refused.count()
        account = sum(accounts, t.Account(0, 0, 0))
        balance = BatchBalance(
            messages, n_units + n_refused - n_bad, account.written, account.repeats, account.conflicts, n_refused
        )
        if not balance.closes:
            raise BalanceError(f"batch {self.batch_id} of {self.query} does not add up: {balance}")
        self._write(balance, offsets, refused if n_refused else None, conflicts, rows)
        return balance

    # ---- the two forms

    def _readings(self, readings: DataFrame, _: Forms) -> tuple[DataFrame, t.Account, list[DataFrame]]:
        wide = self.cache(t.pivot_readings(readings))
        n_units, n_cells = wide.agg(F.sum("n_units"), F.sum("n_readings")).first()  # type: ignore[misc]
        existing = self._existing(wide)
        if n_units == n_cells and existing is None:
            return wide, t.Account(n_cells, 0, 0), []
        winners = _winners(wide, existing)
        contested = t.judge_readings(readings, winners)
        status = self.cache(
            contested.select(*t.KEY, *_PLACE, "channel", "value", "status", "arrival_us", "warn"),
        )
        counts = {r[0]: r[1] for r in status.groupBy("status").count().collect()}
        n_contested = sum(counts.values())
        account = t.Account(
            n_units - n_contested + counts.get("written", 0), counts.get("repeat", 0), counts.get("conflict", 0)
        )
        listed = [status.where("status = 'conflict'")] if counts.get("conflict") else []
        return t.settle(wide, status), account, listed

    def _samples(self, samples: DataFrame, before: Forms) -> tuple[DataFrame, t.Account, list[DataFrame]]:
        total = samples.count()
        distinct = samples.select(*t.KEY).distinct().count()
        wide = t.first_samples(samples, distinct=distinct == total)
        existing = self._existing(samples)
        if READING in before:  # one car that sends both forms: a row is one form's, the other's is judged against it
            existing, wide = _beside(existing, before[READING], wide)
        if existing is None and distinct == total:
            return wide, t.Account(total, 0, 0), []
        status = self.cache(_judge_samples(samples, existing))
        counts = {r[0]: r[1] for r in status.groupBy("status").count().collect()}
        account = t.Account(counts.get("written", 0), counts.get("repeat", 0), counts.get("conflict", 0))
        listed = [status.where("status = 'conflict'")] if counts.get("conflict") else []
        return wide, account, listed

    def _existing(self, keys: DataFrame) -> DataFrame | None:
        """Rows of the table whose key is in the batch, ``None`` where there are none."""
        prune = _prune(_spans(keys))
        if prune is None:
            return None
        table = self.lake.read(t.TABLE).where(prune)
        found = self.cache(table.join(keys.select(*t.KEY).distinct(), list(t.KEY), "left_semi"))
        return found if found.limit(1).count() else None

    # ---- writing

    def _write(
        self,
        balance: BatchBalance,
        offsets: list[Row],
        refused: DataFrame | None,
        conflicts: list[DataFrame],
        rows: Forms,
    ) -> None:
        now = F.current_timestamp()
        stamp = {"batch_id": F.lit(self.batch_id).cast("bigint"), "run_id": F.lit(self.run_id)}
        if refused is not None:
            self.lake.append(refused.withColumns(stamp | {"quarantined_ts": now}), QUARANTINE, self.txn("quarantine"))
        if conflicts:
            listed = reduce(DataFrame.unionByName, [_conflict_rows(c) for c in conflicts])
            self.lake.append(listed.withColumns(stamp | {"noted_ts": now}), CONFLICTS, self.txn("conflicts"))
        self.lake.append(self._reconciliation(balance, offsets), RECONCILIATION, self.txn("balance"))
        if rows:
            self._write_rows(rows)
        else:
            self.lake.append(self.lake.read(t.TABLE).limit(0), t.TABLE, self.txn("rows"))

    def _write_rows(self, forms: Forms) -> None:
        wide = reduce(DataFrame.unionByName, forms.values())
        offsets = self._best_offsets(wide)
        rows = t.to_table(wide, offsets, self.origins, self.run_id)
        existing = self._existing(wide)
        if existing is not None:
            if READING in forms:  # a sample is whole: a later one with another cell is a conflict, it fills nothing
                self._fill(t.to_table(forms[READING], offsets, self.origins, self.run_id), existing)
            rows = rows.join(existing.select(*t.KEY), list(t.KEY), "left_anti")
        self.lake.append(rows, t.TABLE, self.txn("rows"))

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
        fills = self.cache(fills)
        prune = _prune(_spans(fills), prefix="t.")
        if prune is not None:
            self.lake.update_matched(fills, t.TABLE, t.fill_assignments(), prune=prune, txn=self.txn("fill"))

    def _best_offsets(self, wide: DataFrame) -> DataFrame:
        """Best clock offset known per vehicle: the latest segment's, or the lowest seen in this batch."""
        late = F.min(F.col("arrival_us") - F.unix_micros("ecu_ts")).alias("seen_us")
        seen = wide.groupBy("session_id", "vehicle_id").agg(late)
        known = (
            self.lake.read("silver.clock_offsets")
            .groupBy("session_id", "vehicle_id")
            .agg(F.max_by("offset_us", "segment").alias("known_us"))
        )
        both = seen.join(known, ["session_id", "vehicle_id"], "left")
        return both.select("session_id", "vehicle_id", F.coalesce("known_us", "seen_us").alias("offset_us"))

    def _reconciliation(self, balance: BatchBalance, offsets: list[Row]) -> DataFrame:
        entries: dict[str, tuple[int, int]] = {}
        for o in offsets:
            lo, hi = entries.get(f"{o.topic}-{o.kafka_partition}", (o.lo, o.hi))
            entries[f"{o.topic}-{o.kafka_partition}"] = (min(lo, o.lo), max(hi, o.hi))
        pairs = [
            x
            for k, (lo, hi) in entries.items()
            for x in (F.lit(k), F.struct(F.lit(lo).alias("from"), F.lit(hi).alias("to")))
        ]
        return self.lake.spark.range(1).select(
            F.lit(self.query).alias("query"),
            F.lit(self.batch_id).cast("bigint").alias("batch_id"),
            *(F.lit(v).cast("bigint").alias(k) for k, v in vars(balance).items()),
            (F.create_map(*pairs) if pairs else F.lit(None)).alias("offsets"),
            F.current_timestamp().alias("written_ts"),
            F.lit(self.run_id).alias("run_id"),
        )


# ---- pure pieces


def _offsets(bronze: DataFrame) -> DataFrame:
    return bronze.groupBy("topic", "kafka_partition", "event_type", "source").agg(
        F.count(F.lit(1)).alias("n"), F.min("kafka_offset").alias("lo"), F.max("kafka_offset").alias("hi")
    )


def _spans(keys: DataFrame) -> list[Row]:
    """First and last car clock of each session, in microseconds: a datetime would be in the machine's time zone."""
    clock = F.unix_micros("ecu_ts")
    return keys.groupBy("session_id").agg(F.min(clock).alias("lo"), F.max(clock).alias("hi")).collect()


def _prune(spans: list[Row], prefix: str = "") -> str | None:
    """SQL condition that narrows the table to the sessions and car-clock spans of a batch."""
    between = "({0}session_id = '{1}' AND {0}ecu_ts BETWEEN timestamp_micros({2}) AND timestamp_micros({3}))"
    return " OR ".join(between.format(prefix, s.session_id, s.lo, s.hi) for s in spans) or None


def _refused_messages(units: Units) -> DataFrame:
    none = F.lit(None)
    return units.strangers.select(
        F.col("topic").alias("bronze_topic"), F.col("kafka_partition").alias("bronze_partition"),
        F.col("kafka_offset").alias("bronze_offset"), "unit_index",
        none.cast("string").alias("session_id"), none.cast("string").alias("vehicle_id"),
        none.cast("timestamp").alias("ecu_ts"), "reasons", "event_type", "payload_excerpt",
    )  # fmt: skip


def _refused_units(judged: DataFrame) -> DataFrame:
    # A clock beyond the calendar of other readers would keep them from opening the table.
    clock = F.when(F.year("ecu_ts").between(1, 9999), F.col("ecu_ts")).alias("ecu_ts")
    return judged.where(F.col("reasons").isNotNull()).select(
        F.col("topic").alias("bronze_topic"), F.col("kafka_partition").alias("bronze_partition"),
        F.col("kafka_offset").alias("bronze_offset"), "unit_index", "session_id", "vehicle_id", clock, "reasons",
        "event_type", "payload_excerpt",
    )  # fmt: skip


def _winners(wide: DataFrame, existing: DataFrame | None) -> DataFrame:
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


def _beside(existing: DataFrame | None, readings: DataFrame, wide: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Rows that samples are judged against when the batch's readings come first, and the samples' rows less those."""
    columns = [*t.KEY, *t.channel_columns()]
    first = readings.select(*columns)
    if existing is not None:
        first = first.join(existing.select(*t.KEY), list(t.KEY), "left_anti").unionByName(existing.select(*columns))
    return first, wide.join(readings.select(*t.KEY), list(t.KEY), "left_anti")


def _judge_samples(samples: DataFrame, existing: DataFrame | None) -> DataFrame:
    """Status of each sample: the first of its key is written, an equal one a repeat, another a conflict."""
    content = F.struct(*t.channel_columns())
    group = Window.partitionBy(*t.KEY).orderBy("kafka_offset", "unit_index")
    ranked = samples.select(
        *t.KEY, "topic", "kafka_partition", "kafka_offset", "unit_index", content.alias("content"),
        F.first(content).over(group).alias("kept"), F.row_number().over(group).alias("rank"),
    )  # fmt: skip
    if existing is not None:
        theirs = existing.select(*t.KEY, content.alias("theirs"))
        ranked = ranked.join(theirs, list(t.KEY), "left")
        in_table = F.col("theirs.speed_kmh").isNotNull() | F.col("theirs").isNotNull()
        kept = F.when(in_table, F.col("theirs")).otherwise(F.col("kept"))
        first = (F.col("rank") == 1) & ~in_table
    else:
        kept, first = F.col("kept"), F.col("rank") == 1
    status = F.when(first, "written").when(F.col("content").eqNullSafe(kept), "repeat").otherwise("conflict")
    return ranked.select(
        *t.KEY, "topic", "kafka_partition", "kafka_offset", "unit_index", F.lit(None).cast("string").alias("channel"),
        F.lit(None).cast("double").alias("value"), status.alias("status"),
    )  # fmt: skip


def _conflict_rows(status: DataFrame) -> DataFrame:
    return status.select(
        F.col("topic").alias("bronze_topic"), F.col("kafka_partition").alias("bronze_partition"),
        F.col("kafka_offset").alias("bronze_offset"), "unit_index", "session_id", "vehicle_id", "ecu_ts", "ecu_seq",
        "channel", F.col("value").alias("refused_value"),
    )  # fmt: skip


def contract_versions() -> dict[str, str]:
    """Contract versions of the tables that this processor writes."""
    return {n: load_contract(n).version for n in (t.TABLE, QUARANTINE, CONFLICTS, RECONCILIATION)}
