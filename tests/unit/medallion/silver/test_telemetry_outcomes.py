"""What becomes of units, held against one unit at a time in order of arrival."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.channel import load_channels
from medallion.silver.telemetry import ATTRIBUTES, KEY, KnownClock, channel_columns, soft_rule_names
from medallion.silver.telemetry_outcomes import (
    JudgedUnits,
    conflict_rows,
    fill_rows,
    judge_readings,
    judge_samples,
    to_table_rows,
)

CAR = {"session_id": "s", "vehicle_id": "v", "ecu_seq": 0}
SCHEMA = {
    "session_id": pl.String,
    "vehicle_id": pl.String,
    "ecu_ts": pl.Datetime("us", "UTC"),
    "ecu_seq": pl.Int32,
    **dict.fromkeys(channel_columns(), pl.Float64),
    **dict.fromkeys(("gear", "position"), pl.Int32),
}
PLACE = {"topic": pl.String, "source": pl.String, "kafka_partition": pl.Int32, "kafka_offset": pl.Int64}
OF_UNIT = {"unit_index": pl.Int32, "arrival_us": pl.Int64}
READING = {"channel": pl.String, "value": pl.Float64, "warn": pl.Int32, "lap_number_raw": pl.Int32}
Cell = tuple[int, str]


def existing(rows: list[dict]) -> pl.DataFrame:
    """Rows of the table."""
    return pl.DataFrame([CAR | row for row in rows], SCHEMA).select(*KEY, *channel_columns())


def readings(sent: list[tuple[int, str, float]]) -> pl.DataFrame:
    """Readings in order of their offsets: instant, channel and value."""
    rows = [
        {
            **CAR,
            "ecu_ts": t,
            "topic": "telemetry.raw",
            "kafka_partition": 0,
            "kafka_offset": offset,
            "unit_index": 0,
            "arrival_us": 1_000 + offset,
            "channel": channel,
            "value": value,
        }
        for offset, (t, channel, value) in enumerate(sent)
    ]
    schema = {name: SCHEMA[name] for name in KEY} | PLACE | OF_UNIT | READING | {"vehicle_number": pl.Int32}
    return pl.DataFrame(rows, schema)


def samples(sent: list[dict]) -> pl.DataFrame:
    """Samples in order of their offsets."""
    of_frame = {"warns": pl.List(pl.String)} | dict.fromkeys(ATTRIBUTES, pl.String) | {"lap_number_raw": pl.Int32}
    rows = [
        {**CAR, "kafka_offset": offset // 2, "unit_index": offset % 2, **sample} for offset, sample in enumerate(sent)
    ]
    return pl.DataFrame(rows, SCHEMA | PLACE | OF_UNIT | of_frame)


def counts(judged: JudgedUnits) -> tuple[int, int, int]:
    account = judged.account
    return account.written, account.repeats, account.conflicts


instants, values = st.integers(0, 3), st.sampled_from([1.0, 1.5, 2.0])


@settings(max_examples=200)
@given(
    there=st.dictionaries(st.tuples(instants, st.sampled_from(["rpm", "gear"])), values, max_size=4),
    sent=st.lists(st.tuples(instants, st.sampled_from(["rpm", "gear"]), values), max_size=20),
)
def test_readings_are_judged_as_one_by_one(there: dict[Cell, float], sent: list[tuple[int, str, float]]) -> None:
    def kept_as(channel: str, value: float) -> float:
        return float(int(value)) if channel == "gear" else value

    table = {cell: kept_as(cell[1], value) for cell, value in there.items()}
    wanted, new = [0, 0, 0], {}
    for t, channel, value in sent:
        own = kept_as(channel, value)
        if (t, channel) not in table:
            table[t, channel] = new[t, channel] = own
            wanted[0] += 1
        else:
            wanted[1 if table[t, channel] == own else 2] += 1
    rows = [{"ecu_ts": t, **{c: v for (at, c), v in there.items() if at == t}} for t in {t for t, _ in there}]
    judged = judge_readings(readings(sent), existing(rows))
    assert counts(judged) == tuple(wanted)
    assert judged.conflicts.height == wanted[2]
    found = {
        (row["ecu_ts"].microsecond, channel): float(row[channel])
        for row in judged.rows.to_dicts()
        for channel in ("rpm", "gear")
        if row[channel] is not None
    }
    assert found == new
    assert judged.rows["n_cells"].sum() == len(new)


@settings(max_examples=200)
@given(
    there=st.dictionaries(instants, values, max_size=3),
    sent=st.lists(st.tuples(instants, st.one_of(st.none(), values)), max_size=20),
)
def test_samples_are_judged_as_one_by_one(there: dict[int, float], sent: list[tuple[int, float | None]]) -> None:
    table: dict[int, float | None] = dict(there)
    wanted, new = [0, 0, 0], {}
    for t, rpm in sent:
        if t not in table:
            table[t] = new[t] = rpm
            wanted[0] += 1
        else:
            wanted[1 if table[t] == rpm else 2] += 1
    old = existing([{"ecu_ts": t, "rpm": rpm} for t, rpm in there.items()])
    judged = judge_samples(samples([{"ecu_ts": t, "rpm": rpm} for t, rpm in sent]), old)
    assert counts(judged) == tuple(wanted)
    assert {row["ecu_ts"].microsecond: row["rpm"] for row in judged.rows.to_dicts()} == new


def test_a_row_takes_its_lineage_from_what_was_written() -> None:
    sent = [(0, "rpm", 1.0), (0, "rpm", 2.0), (0, "gear", 3.0), (0, "gear", 3.0)]
    warned = readings(sent).with_columns(warn=pl.Series([1, 2, 0, 3], dtype=pl.Int32))
    (row,) = to_table_rows(judge_readings(warned, existing([])).rows, [KnownClock("s", "v", 7)], "run").to_dicts()
    assert (row["bronze_offset_min"], row["bronze_offset_max"], row["n_readings"]) == (0, 2, 2)
    assert row["arrival_ts"].microsecond == 1_000
    assert row["event_ts"].microsecond == 7
    assert row["dq_warnings"] == soft_rule_names()[:2]


def test_the_time_of_a_row_follows_what_is_known_of_its_clock() -> None:
    judged = judge_samples(samples([{"ecu_ts": i * 100_000, "rpm": 1.0} for i in range(3)]), existing([]))
    for drift, wanted in ((0.0, [7, 100_007, 200_007]), (200e-6, [-13, 100_007, 200_027])):
        clock = KnownClock("s", "v", 7, drift, 100_000)
        at = (
            to_table_rows(judged.rows, [clock], "run")["event_ts"].cast(pl.Int64)
            - judged.rows["ecu_ts"][0].timestamp() * 1e6
        )
        assert at.to_list() == wanted


def test_a_row_that_is_there_gains_only_what_it_lacks() -> None:
    first = judge_readings(readings([(0, "throttle_blade_pct", 40.0)]), existing([]))
    there = to_table_rows(first.rows, [], "first")
    sent = [(0, "throttle_blade_pct", 41.0), (0, "throttle_pedal_pct", 50.0), (1, "rpm", 1.0)]
    judged = judge_readings(readings(sent), there.select(*KEY, *channel_columns()))
    assert counts(judged) == (2, 0, 1)
    (row,) = fill_rows(there, to_table_rows(judged.rows, [], "second")).to_dicts()
    assert (row["throttle_blade_pct"], row["throttle_pedal_pct"]) == (40.0, 50.0)
    assert (row["throttle_pct"], row["throttle_source"]) == (50.0, "pedal")
    assert (row["n_readings"], row["run_id"]) == (2, "second")
    assert row["dq_warnings"] is None


def test_the_share_of_the_brake_is_divided_as_spark_divides() -> None:
    bars = [round(0.1 * i, 1) for i in range(1, 1_500)]
    judged = judge_samples(samples([{"ecu_ts": i, "brake_front_bar": bar} for i, bar in enumerate(bars)]), existing([]))
    full = load_channels().brake_full_scale_bar
    assert to_table_rows(judged.rows, [], "run")["brake_pct"].to_list() == [min(100.0, 100.0 * b / full) for b in bars]


def test_a_conflict_of_samples_names_the_channels_that_contradict() -> None:
    first = {"ecu_ts": 0, "rpm": 1.0, "speed_kmh": 90.0}
    sent = [first, first, first | {"speed_kmh": 91.0}, {"ecu_ts": 0, "rpm": 2.0}, first | {"gear": 3}]
    judged = judge_samples(samples(sent), existing([]))
    assert counts(judged) == (1, 1, 3)
    listed = conflict_rows([judged.conflicts]).sort("bronze_offset", "unit_index")
    found = list(listed.select("channel", "refused_value").iter_rows())
    assert found == [("speed_kmh", 91.0), ("speed_kmh, rpm", None), ("gear", 3.0)]
