"""Events to silver: timing, results, weather. One message is one event is one unit, and every one is accounted for.

What an event becomes follows from its contract and its table's: columns of the same name are taken over, ``time_us``
becomes ``event_ts`` and ``meta_time_us`` ``arrival_ts``, ``kind`` is the name of the event. The first event of a key
keeps it; a later one with the same content is a repeat, one with another a conflict.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial, reduce
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from analysis.timing.session_laps import datetime_to_us, us_to_datetime
from conf.contract import Contract, load_contract
from conf.families import MessageFamily
from conf.tables import OPS_RECONCILIATION, SILVER_CONFLICTS, SILVER_QUARANTINE
from medallion.arrow_rows import FIRST_US, LAST_US
from medallion.io import Lake
from medallion.part import Part, Span
from medallion.quality.rules import broken_rules_sql
from medallion.reading import read_rows
from medallion.samples import are_few_rows
from medallion.schema import known_instant
from medallion.side_by_side import run_side_by_side
from medallion.silver.decode import (
    ORIGIN,
    UNDECODABLE,
    bronze_origin,
    parse_messages,
    payload_excerpt,
    unknown_messages,
)
from medallion.silver.event_outcomes import LINEAGE, conflict_row, content_columns, judge_events
from medallion.silver.reconciliation import BatchReconciliation, ReconciliationError, batch_offsets, reconciliation_row
from medallion.silver.recovery import CheckpointRecovery
from medallion.silver.vehicle_ids import VehicleIds, sent_vehicle_id, with_same_cars
from medallion.transaction import Txn

_RENAMED = {"event_ts": "time_us", "arrival_ts": "meta_time_us"}
_SAMPLES_AN_EVENT = 10  # that are as much work
_PLACE = ("topic", "kafka_partition", "kafka_offset")
_CAR_NUMBER = "car_number"


def event_ce_type(event: str) -> str:
    """CloudEvents type of an event, e.g. ``slipstream.lap_end.v1`` of ``lap_end.v1``."""
    return load_contract(f"event.{event}").properties["ce_type"]


def event_table_contract(family: MessageFamily, event: str) -> Contract:
    """The silver table that an event goes to: the one that has the most of its fields."""
    fields = set(load_contract(f"event.{event}").column_names)
    tables = [load_contract(name) for name in family.tables]
    return max(tables, key=lambda table: len(fields & {_RENAMED.get(c, c) for c in table.column_names}))


class EventProcessor:
    """Promotes the messages of one family.

    Args:
        lake: Where the tables are.
        family: Whose messages.
        run_id: Job run that the rows will name.
    """

    def __init__(self, lake: Lake, family: MessageFamily, run_id: str) -> None:
        self.lake = lake
        self.family = family
        self.run_id = run_id
        self._recovery = CheckpointRecovery(lake, family)
        self._ids = VehicleIds(lake, run_id)

    def process(self, bronze: DataFrame, batch_id: int, query: str) -> BatchReconciliation | None:
        """Validate and promote one batch.

        Delivery order, each step written at most once under (query, batch): quarantine, conflicts, reconciliation, the
        tables of the family. The last table's transaction says that the batch is done; a batch that was killed before
        is computed again from the same messages, and the steps it had done are skipped.

        Args:
            bronze: Rows of the family's bronze table.
            batch_id: Micro-batch.
            query: Name of the query and generation of its checkpoint.

        Returns:
            The balance, or ``None`` where the batch had been completed before.

        Raises:
            ReconciliationError: If a unit is not accounted for.
        """
        return self._recovery.promote_once(bronze, batch_id, query, self._promote)

    def _promote(self, bronze: DataFrame, batch_id: int, query: str) -> BatchReconciliation:
        messages = self._recovery.not_yet_accounted(bronze, query).persist(StorageLevel.MEMORY_AND_DISK)
        writer = _Writer(self.lake, query, batch_id, self.run_id)
        held = [messages]
        try:
            offsets = batch_offsets(messages)
            if are_few_rows(self.lake, sum(o.n for o in offsets), _SAMPLES_AN_EVENT):
                return self._promote_on_driver(writer, messages, offsets)
            refused, classified = self._classify(messages, offsets, held)
            balance = _balance(sum(o.n for o in offsets), _counts([refused, *classified.values()]), writer)
            self._write(writer, balance, offsets, refused, classified)
            return balance
        finally:
            for df in held:
                df.unpersist()

    def _promote_on_driver(self, writer: _Writer, messages: DataFrame, offsets: list[Row]) -> BatchReconciliation:
        """The same for few messages: they are decoded and gated by Spark, and judged and written here."""
        known = {event_ce_type(event): event for event in self.family.events}
        refused: list[dict[str, Any]] = []
        good: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        events = [known[t] for t in sorted({o.event_type for o in offsets} & known.keys() - {None})]
        tables = [event_table_contract(self.family, event) for event in events]
        units = run_side_by_side(partial(_collect_units, messages, *each) for each in zip(events, tables, strict=True))
        sent = [u for found in units for u in found if u["reasons"] is None and u.get("vehicle_id")]
        same = self._ids.find_same_cars((u["session_id"], u["vehicle_id"]) for u in sent)
        for unit in sent:
            unit["vehicle_id"] = same.get((unit["session_id"], unit["vehicle_id"]), unit["vehicle_id"])
        for table, found in zip(tables, units, strict=True):
            for unit in found:
                (good[table.name] if unit["reasons"] is None else refused).append(unit)
        if any(o.event_type not in known for o in offsets):
            refused += [row.asDict(recursive=True) for row in _unknown(messages, list(known)).collect()]
        judged = {
            name: judge_events(
                sorted(events, key=lambda e: (e["bronze_partition"], e["bronze_offset"])),
                self._read_existing(load_contract(name), events),
                load_contract(name),
            )
            for name, events in good.items()
        }
        counts = Counter(one.outcome for found in judged.values() for one in found) + Counter(quarantined=len(refused))
        balance = _balance(sum(o.n for o in offsets), counts, writer)
        if refused:
            writer.append_rows([_refused_row(unit) for unit in refused], SILVER_QUARANTINE)
        if conflicts := [
            conflict_row(one, load_contract(name)) | {"noted_ts": datetime.now(UTC)}
            for name, found in judged.items()
            for one in found
            if one.outcome == "conflict"
        ]:
            writer.append_rows(conflicts, SILVER_CONFLICTS)
        account = reconciliation_row(balance, offsets, writer.query, writer.batch_id, self.run_id)
        self.lake.append_rows(OPS_RECONCILIATION, [account], writer.txn("balance"))
        for name in self.family.tables:
            columns = (*content_columns(load_contract(name)), *LINEAGE[:4])
            new = [one.event for one in judged.get(name, ()) if one.outcome == "written"]
            if new or name == self.family.last_table:
                writer.append_rows([{c: event[c] for c in columns} for event in new], name, step="rows")
        return balance

    def _read_existing(self, table: Contract, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows of a table that may have the key of an event."""
        keys = [name for name in table.key if name != _CAR_NUMBER]
        part = Part(({name: _among(table, name, [e[name] for e in events]) for name in keys},))
        rows = [row.asDict() for row in read_rows(self.lake, table.name, part, content_columns(table))]
        return [row | ({_CAR_NUMBER: _car_number(row)} if _CAR_NUMBER in row else {}) for row in rows]

    def _classify(
        self, messages: DataFrame, offsets: list[Row], held: list[DataFrame]
    ) -> tuple[DataFrame, dict[str, DataFrame]]:
        """Refused units, and per table its events with ``_became``; what is computed is kept and added to ``held``."""
        here = {o.event_type for o in offsets}
        known = {event_ce_type(event): event for event in self.family.events}
        refused = [_unknown(messages, list(known))]
        good: dict[str, DataFrame] = {}
        for event in (known[t] for t in sorted(here & known.keys() - {None})):
            table = event_table_contract(self.family, event)
            units = _units(messages.where(F.col("event_type") == event_ce_type(event)), event, table).persist()
            held.append(units)
            refused.append(_refused_events(units))
            rows = self._with_same_cars(units.where("reasons IS NULL").drop("reasons", "payload_excerpt"))
            good[table.name] = good[table.name].unionByName(rows) if table.name in good else rows
        classified = {}
        for name, events in good.items():
            classified[name] = _classify_events(events, self._existing(name, events), load_contract(name)).persist()
            held.append(classified[name])
        refusals = reduce(DataFrame.unionByName, refused).persist()
        held.append(refusals)
        return refusals, classified

    def _with_same_cars(self, rows: DataFrame) -> DataFrame:
        if "vehicle_id" not in rows.columns:
            return rows
        sent = rows.select("session_id", "vehicle_id").where("vehicle_id IS NOT NULL").distinct().collect()
        return with_same_cars(rows, self._ids.find_same_cars((r.session_id, r.vehicle_id) for r in sent))

    def _existing(self, name: str, events: DataFrame) -> DataFrame:
        sessions = [r.session_id for r in events.select("session_id").distinct().collect()]
        rows = self.lake.read(name).where(F.col("session_id").isin(sessions))
        return rows.withColumn(_CAR_NUMBER, _filled_car_number()) if _CAR_NUMBER in rows.columns else rows

    def _write(
        self,
        writer: _Writer,
        balance: BatchReconciliation,
        offsets: list[Row],
        refused: DataFrame,
        classified: dict[str, DataFrame],
    ) -> None:
        if balance.quarantined:
            writer.append(
                refused.drop("_became").withColumn("quarantined_ts", F.current_timestamp()), SILVER_QUARANTINE
            )
        if balance.conflicts:
            rows = [_conflict_rows(df, load_contract(name)) for name, df in classified.items()]
            listed = reduce(DataFrame.unionByName, rows).withColumn("noted_ts", F.current_timestamp())
            writer.append(listed, SILVER_CONFLICTS)
        account = reconciliation_row(balance, offsets, writer.query, writer.batch_id, self.run_id)
        self.lake.append_rows(OPS_RECONCILIATION, [account], writer.txn("balance"))
        for name in self.family.tables:
            if name in classified:
                new = classified[name].where("_became = 'written'")
                writer.append(_to_table(new, load_contract(name)), name, step="rows")
            elif name == self.family.last_table:
                self.lake.append_rows(name, [], writer.txn("rows"))


class _Writer:
    """Appends under one batch's identity."""

    def __init__(self, lake: Lake, query: str, batch_id: int, run_id: str) -> None:
        self.lake, self.query, self.batch_id, self.run_id = lake, query, batch_id, run_id

    def txn(self, step: str) -> Txn:
        return Txn(f"{self.query}:{step}", self.batch_id)

    def append_rows(self, rows: list[dict[str, Any]], name: str, step: str | None = None) -> None:
        stamp = {"batch_id": self.batch_id, "run_id": self.run_id}
        self.lake.append_rows(name, [row | stamp for row in rows], self.txn(step or name.partition(".")[2]))

    def append(self, rows: DataFrame, name: str, step: str | None = None) -> None:
        stamp = {"batch_id": F.lit(self.batch_id).cast("bigint"), "run_id": F.lit(self.run_id)}
        self.lake.append(rows.withColumns(stamp), name, self.txn(step or name.partition(".")[2]))


# ---- pure pieces


def _units(messages: DataFrame, event: str, table: Contract) -> DataFrame:
    """Messages of one event as columns of its table, with origin, ``reasons`` (null when good) and an excerpt."""
    contract = load_contract(f"event.{event}")
    fields = parse_messages(messages, contract).select(
        *ORIGIN,
        "decode_errors",
        payload_excerpt().alias("excerpt"),
        *(_field(c, contract).alias(c) for c in contract.column_names),
    )
    gate = broken_rules_sql(contract.rules("quarantine"))
    gated = fields.withColumn("reasons", F.expr(f"CASE WHEN decode_errors IS NULL THEN {gate} ELSE decode_errors END"))
    return gated.select(
        *ORIGIN,
        *(_column(name, contract, event).alias(name) for name in content_columns(table)),
        F.when(F.col("decode_errors").isNull(), 0).otherwise(UNDECODABLE).alias("unit_index"),
        "reasons",
        F.when(F.col("reasons").isNotNull(), F.col("excerpt")).alias("payload_excerpt"),
    )


def _field(name: str, event: Contract) -> Column:
    if name == "vehicle_id" and "original_vehicle_id" in event.column_names:
        return sent_vehicle_id("m.vehicle_id", "m.original_vehicle_id")
    return F.col(f"m.{name}")


def _collect_units(messages: DataFrame, event: str, table: Contract) -> list[dict[str, Any]]:
    """Units of one event in the types of its table, with the place of their message in bronze.

    Times travel as microseconds: those of a refused unit may be beyond the calendar.
    """
    kinds = {c: table.column(c).physical_type for c in content_columns(table)}
    content = [F.unix_micros(c).alias(c) if k == "TIMESTAMP" else F.col(c).cast(k).alias(c) for c, k in kinds.items()]
    units = _units(messages.where(F.col("event_type") == event_ce_type(event)), event, table)
    beside = ("source", "event_type", "unit_index", "reasons", "payload_excerpt")
    times = [c for c, kind in kinds.items() if kind == "TIMESTAMP"]
    found = [row.asDict(recursive=True) for row in units.select(*bronze_origin(), *beside, *content).collect()]
    return [unit | {c: _instant(unit[c]) for c in times} for unit in found]


def _instant(us: int | None) -> datetime | None:
    """A time, ``None`` for one beyond the calendar of other readers: it would keep them from opening the table."""
    return us_to_datetime(us) if us is not None and FIRST_US <= us <= LAST_US else None


def _among(table: Contract, column: str, values: list[Any]) -> Collection[str | int] | Span:
    known = [value for value in values if value is not None]
    if table.column(column).physical_type != "TIMESTAMP":
        return sorted(set(known))
    us = [datetime_to_us(value) for value in known]
    return Span(min(us, default=0), max(us, default=0))


def _refused_row(unit: dict[str, Any]) -> dict[str, Any]:
    """Row of ``silver.quarantine`` of a refused unit."""
    same = ("bronze_topic", "bronze_partition", "bronze_offset", "unit_index", "reasons", "event_type")
    return {
        **{name: unit[name] for name in (*same, "payload_excerpt")},
        "session_id": unit.get("session_id"),
        "vehicle_id": unit.get("vehicle_id"),
        "ecu_ts": unit.get("event_ts"),
        "quarantined_ts": datetime.now(UTC),
    }


def _car_number(row: Mapping[str, Any]) -> str | None:
    """Car number of a row; of one from before there was the column, its digits."""
    number = row["vehicle_number"]
    return row[_CAR_NUMBER] or (None if number is None else str(number))


def _filled_car_number() -> Column:
    """The same in Spark, for rows and for the fields of an event."""
    return F.coalesce(F.col(_CAR_NUMBER), F.col("vehicle_number").cast("string"))


def _column(name: str, event: Contract, kind: str) -> Column:
    if name == _CAR_NUMBER and name in event.column_names:
        return _filled_car_number()
    if name == "kind":
        return F.lit(kind.partition(".")[0])
    if _RENAMED.get(name) in event.column_names:
        return F.timestamp_micros(F.col(_RENAMED[name]))
    return F.col(name) if name in event.column_names else F.lit(None)


def _unknown(messages: DataFrame, known: list[str]) -> DataFrame:
    """Messages of a type that does not belong into this topic."""
    others = messages.where(~F.coalesce(F.col("event_type").isin(known), F.lit(False)))
    return _refusal(
        unknown_messages(others), session=_no_rows("string"), vehicle=_no_rows("string"), clock=_no_rows("timestamp")
    )


def _refused_events(units: DataFrame) -> DataFrame:
    vehicle = F.col("vehicle_id") if "vehicle_id" in units.columns else _no_rows("string")
    # A time beyond the calendar of other readers would keep them from opening the table.
    clock = F.col("event_ts") if "event_ts" in units.columns else _no_rows("timestamp")
    clock = known_instant(clock)
    return _refusal(units.where("reasons IS NOT NULL"), session=F.col("session_id"), vehicle=vehicle, clock=clock)


def _refusal(units: DataFrame, *, session: Column, vehicle: Column, clock: Column) -> DataFrame:
    return units.select(
        *bronze_origin(),
        "unit_index",
        session.alias("session_id"),
        vehicle.alias("vehicle_id"),
        clock.alias("ecu_ts"),
        "reasons",
        "event_type",
        "payload_excerpt",
        F.lit("quarantined").alias("_became"),
    )


def _classify_events(events: DataFrame, existing: DataFrame, table: Contract) -> DataFrame:
    """Events with ``_became``: the first of a key is written, an equal one a repeat, another one a conflict.

    ``content`` is what counts, ``winner`` the content that the key keeps.
    """
    key = list(table.key)
    counted = [c for c in content_columns(table) if c not in key]
    cast = [F.col(c).cast(table.column(c).physical_type).alias(c) for c in content_columns(table)]
    typed = events.select(*_PLACE, "source", *cast).withColumn("content", F.struct(*counted))
    in_order = Window.partitionBy(*key).orderBy("kafka_partition", "kafka_offset")
    ranked = typed.withColumns({"first": F.first("content").over(in_order), "rank": F.row_number().over(in_order)})
    theirs = existing.select(*key, F.struct(*counted).alias("theirs"), F.lit(True).alias("known"))
    joined = ranked.join(theirs, key, "left").withColumn("winner", F.expr("CASE WHEN known THEN theirs ELSE first END"))
    status = F.expr(
        "CASE WHEN known IS NULL AND rank = 1 THEN 'written' WHEN content <=> winner THEN 'repeat' ELSE 'conflict' END"
    )
    return joined.withColumn("_became", status).drop("first", "rank", "theirs", "known")


def _no_rows(kind: str) -> Column:
    return F.lit(None).cast(kind)


def _conflict_rows(events: DataFrame, table: Contract) -> DataFrame:
    """Refused events, with the first column that contradicts what was there."""
    counted = [c for c in content_columns(table) if c not in table.key]
    differing = [
        F.when(
            ~F.col(f"content.{c}").eqNullSafe(F.col(f"winner.{c}")), F.struct(F.lit(c).alias("c"), _number(c, table))
        )
        for c in counted
    ]
    first = F.coalesce(*differing)
    vehicle = F.col("vehicle_id") if "vehicle_id" in events.columns else _no_rows("string")
    clock = F.col("event_ts") if "event_ts" in events.columns else _no_rows("timestamp")
    return events.where("_became = 'conflict'").select(
        *bronze_origin(),
        F.lit(0).alias("unit_index"),
        "session_id",
        vehicle.alias("vehicle_id"),
        clock.alias("ecu_ts"),
        _no_rows("int").alias("ecu_seq"),
        F.concat_ws(".", F.lit(table.name), first["c"]).alias("channel"),
        first["v"].alias("refused_value"),
    )


def _number(column: str, table: Contract) -> Column:
    numeric = table.column(column).physical_type in ("INT", "BIGINT", "DOUBLE", "BOOLEAN")
    value = F.col(f"content.{column}") if numeric else F.lit(None)
    return value.cast("double").alias("v")


def _to_table(events: DataFrame, table: Contract) -> DataFrame:
    return events.select(
        *content_columns(table),
        *bronze_origin(),
        "source",
    )


def _counts(parts: Sequence[DataFrame]) -> Counter[str]:
    """Units by what became of them; in one query, for its start costs more than the counting."""
    became = reduce(DataFrame.unionByName, [part.select("_became") for part in parts])
    return Counter({row["_became"]: row["count"] for row in became.groupBy("_became").count().collect()})


def _balance(messages: int, counts: Counter[str], writer: _Writer) -> BatchReconciliation:
    became = (counts[status] for status in ("written", "repeat", "conflict", "quarantined"))
    balance = BatchReconciliation(messages, messages, *became)
    if not balance.closes:
        raise ReconciliationError(f"batch {writer.batch_id} of {writer.query} does not add up: {balance}")
    return balance
