"""Reconcile the lake: no unit lost, none counted twice.

A unit is one reading, one sample of a frame, one event, or one message that could not be decoded. For every micro-batch
``units = written + repeats + conflicts + quarantined`` (``ops.reconciliation``), every bronze message is in one batch
of one checkpoint generation, the silver tables hold what the batches say, and Kafka's offsets in bronze are an unbroken
run per topic and partition. Simulated truth ends in bronze: its offsets are looked at, its messages are no units.

A batch writes in the order quarantine, conflicts, reconciliation, the tables of its family. One that is under way, or
was cut off and will be completed, is therefore told from one that lost something: its rows are newer than the last
account, or its transaction (``<query>:rows``) is not in the family's last table yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from conf.families import FAMILIES, PROMOTED, TELEMETRY, MessageFamily
from conf.reconciliation import OUTCOMES
from conf.tables import OPS_RECONCILIATION, OPS_RETENTION, SILVER_CONFLICTS, SILVER_QUARANTINE
from serving.lake.reader import LakeReader
from serving.lake.reconciliation import BalanceCheck, LakeBalance, QueryAccount, State, sum_totals
from serving.lake.store import read_table_stats

TABLES = (
    OPS_RECONCILIATION,
    OPS_RETENTION,
    SILVER_CONFLICTS,
    SILVER_QUARANTINE,
    *(name for family in FAMILIES for name in (family.bronze, *family.tables)),
)

_ATTEMPTS = 3
_UNDER_WAY = "a silver batch is under way or was cut off, `slipstream stream silver` completes it"

_ACCOUNTS = f"""
    select query, count(*) as batches, coalesce(sum(messages), 0) as messages, coalesce(sum(units), 0) as units,
           coalesce(sum(written), 0) as written, coalesce(sum(repeats), 0) as repeats,
           coalesce(sum(conflicts), 0) as conflicts, coalesce(sum(quarantined), 0) as quarantined,
           count(*) filter (where units is distinct from {" + ".join(OUTCOMES)}) as open_batches
    from ops.reconciliation group by query order by max(written_ts), query
"""  # noqa: S608 - columns of our own
_REMOVED = f"""
    with first as (
        select each.key as place, min(each.value['from']) as read_from
        from (select unnest(map_entries(offsets)) as each from {OPS_RECONCILIATION}) group by 1
    ), held as (
        {{held}}
    )
    select coalesce(sum(greatest(0, least(kept_from, coalesce(held_from, kept_from)) - read_from)), 0)::bigint as n
    from {OPS_RETENTION} as r
    join first on place = concat(r.topic, '-', r.kafka_partition)
    left join held on held.topic = r.topic and held.kafka_partition = r.kafka_partition
"""  # noqa: S608 - tables of our own
_HELD = "select topic, kafka_partition, min(kafka_offset) as held_from from {bronze} group by all"
_BATCHES = "select query, batch_id, written from ops.reconciliation"
_OFFSETS = """
    select topic, kafka_partition, count(*) as n, count(distinct kafka_offset) as offsets,
           max(kafka_offset) - min(kafka_offset) + 1 as span
    from {bronze} group by topic, kafka_partition order by topic, kafka_partition
"""
_TELEMETRY_UNITS = "select coalesce(sum(n_readings), 0) as n from {table}"
_EVENTS = "select count(*) as n from {table}"
# Table, the time at which a row was written, and the column of the account that must equal the number of rows.
_LISTED = ((SILVER_CONFLICTS, "noted_ts", "conflicts"), (SILVER_QUARANTINE, "quarantined_ts", "quarantined"))


def reconcile_lake(lake: LakeReader) -> LakeBalance:
    """Balance a lake, from its tables alone.

    Tables that change while they are read are read again, a few times at most.

    Raises:
        LakeError: If a table exists and cannot be read.
    """
    for _ in range(_ATTEMPTS):
        with lake.snapshot() as now:
            existing = [name for name in TABLES if now.exists(name)]
            before = {name: now.version(name) for name in existing}  # all of them now, as close together as can be
            balance = _read(now, existing)
        if not balance.broken or before == {name: lake.version(name) for name in TABLES if lake.exists(name)}:
            break
    return balance


def _read(lake: LakeReader, existing: Collection[str]) -> LakeBalance:
    accounts = _query_totals(lake, existing) if OPS_RECONCILIATION in existing else ()
    total = sum_totals(accounts)
    stored = [family for family in FAMILIES if family.bronze in existing]
    promoted = [family.bronze for family in stored if family in PROMOTED]
    bronze_rows = sum(read_table_stats(lake.table(name)).rows for name in promoted) if promoted else None
    checks: list[BalanceCheck] = []
    for family in stored:
        checks += _offset_checks(lake, family)
    if bronze_rows is not None:
        checks.append(_messages_check(bronze_rows + _removed_messages(lake, existing), total))
    checks += [_account_check(account) for account in accounts]
    for family in PROMOTED:
        own = sum_totals(account for account in accounts if family_of_query(account.query) == family)
        if own.written or any(name in existing for name in family.tables):
            checks.append(_written_check(lake, existing, family, own))
    checks += _listed_checks(lake, existing, total)
    return LakeBalance(bronze_rows=bronze_rows, total=total, queries=accounts, checks=tuple(checks))


def family_of_query(query: str) -> MessageFamily:
    """The family that a query promotes, from the query's id."""
    name = query.partition(":")[0]
    return next((family for family in PROMOTED if family.silver_query == name), TELEMETRY)


def _query_totals(lake: LakeReader, existing: Collection[str]) -> tuple[QueryAccount, ...]:
    """One account per query, the one that wrote last at the end."""
    pending = _pending(lake, existing)
    rows = lake.query(_ACCOUNTS).to_pylist()
    return tuple(
        QueryAccount(**row, pending_batches=len(mine), pending_written=sum(mine))
        for row in rows
        for mine in [pending.get(row["query"], [])]
    )


def _pending(lake: LakeReader, existing: Collection[str]) -> dict[str, list[int]]:
    """``written`` of each batch whose rows are not all in silver yet, by query."""
    done: dict[str, int] = {}
    pending: dict[str, list[int]] = {}
    for row in lake.query(_BATCHES).to_pylist():
        name = row["query"]
        if name not in done:
            last = family_of_query(name).last_table
            version = lake.table(last).transaction_version(f"{name}:rows") if last in existing else None
            done[name] = -1 if version is None else version
        if row["batch_id"] > done[name]:
            pending.setdefault(name, []).append(row["written"] or 0)
    return pending


def _offset_checks(lake: LakeReader, family: MessageFamily) -> Iterator[BalanceCheck]:
    """Per topic and partition: as many distinct offsets as rows, and as many as lie between the first and the last."""
    for row in lake.query(_OFFSETS.format(bronze=family.bronze)).to_pylist():
        part = f"{row['topic']}-{row['kafka_partition']}"
        yield _equality_check(f"{part}: no offset missing", row["span"], row["offsets"])
        yield _equality_check(f"{part}: no offset twice", row["offsets"], row["n"])


def _removed_messages(lake: LakeReader, existing: Collection[str]) -> int:
    """Messages that silver has taken in and `slipstream maintain` has removed from bronze since."""
    if not {OPS_RECONCILIATION, OPS_RETENTION} <= {*existing}:
        return 0
    held = " union all ".join(_HELD.format(bronze=f.bronze) for f in PROMOTED if f.bronze in existing)
    return int(lake.query(_REMOVED.format(held=held))["n"][0].as_py())


def _messages_check(bronze_rows: int, total: QueryAccount) -> BalanceCheck:
    missing = bronze_rows - total.messages
    state: State = "ok" if not missing else "waiting" if missing > 0 else "failed"
    hint = f"{missing:,} bronze messages wait for `slipstream stream silver`" if state == "waiting" else ""
    return _check("every bronze message read once", state, bronze_rows, total.messages, hint)


def _account_check(account: QueryAccount) -> BalanceCheck:
    good = account.difference == 0 and account.open_batches == 0
    hint = "" if good else f"{account.open_batches} of {account.batches} batches do not add up"
    accounted = account.units - account.difference
    name = f"{account.query}: every unit accounted for"
    return _check(name, "ok" if good else "failed", account.units, accounted, hint)


def _written_check(
    lake: LakeReader, existing: Collection[str], family: MessageFamily, total: QueryAccount
) -> BalanceCheck:
    """Units in the family's tables: readings and samples of a telemetry row, else one a row."""
    sql = _TELEMETRY_UNITS if family == TELEMETRY else _EVENTS
    tables = [name for name in family.tables if name in existing]
    actual = sum(lake.query(sql.format(table=name))["n"][0].as_py() for name in tables)
    check = _equality_check(f"{' + '.join(family.tables)}: units written", total.written, actual)
    if check.state == "failed" and total.written - total.pending_written <= actual < total.written:
        return _check(check.name, "waiting", check.expected, actual, _UNDER_WAY)
    return check


def _listed_checks(lake: LakeReader, existing: Collection[str], total: QueryAccount) -> Iterator[BalanceCheck]:
    """The tables that list units, against the account's sums. A table that does not exist lists none."""
    last_us = 0
    if OPS_RECONCILIATION in existing:
        last_us = max(lake.frame(OPS_RECONCILIATION, columns=("written_ts",))["written_ts"].drop_nulls(), default=0)
    for table, written, column in _LISTED:
        expected = getattr(total, column)
        if table not in existing and not expected:
            continue
        n = late = 0
        if table in existing:
            written_us = lake.frame(table, columns=(written,))[written]
            n, late = len(written_us), int((written_us > last_us).sum())
        check = _equality_check(f"{table}: {column}", expected, n)
        if check.state == "failed" and n - late == expected:
            check = _check(check.name, "waiting", expected, n, _UNDER_WAY)
        yield check


def _equality_check(name: str, expected: int, actual: int) -> BalanceCheck:
    return _check(name, "ok" if expected == actual else "failed", expected, actual)


def _check(name: str, state: State, expected: int, actual: int, hint: str = "") -> BalanceCheck:
    return BalanceCheck(name=name, state=state, expected=expected, actual=actual, hint=hint)
