"""SQL over the lake: names, answers, refusals and errors that help."""

from __future__ import annotations

import polars as pl
import pytest
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conf.lake import table_uri
from conf.settings import AppConfig
from serving.lake.reader import LakeReader
from serving.lake.sql import QueryError, mentioned_tables
from serving.lake.store import MissingTableError


@pytest.fixture
def lake(home, write_telemetry) -> LakeReader:
    write_telemetry()
    return LakeReader(home)


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) as n from silver.telemetry",
        'SELECT COUNT(*) AS N FROM Silver.Telemetry -- "gold.lap_features"',
        'select count(*) as n from "silver"."telemetry";',
        "select count(*) as n from silver . telemetry t where t.session_id is not null",
        "with q as (select * from silver.telemetry) select count(silver_rows.ecu_seq) as n from q as silver_rows",
        "(select count(telemetry.vehicle_id) as n from silver.telemetry)",
        "select count(silver.telemetry.vehicle_id) as n from silver.telemetry",
    ],
)
def test_tables_are_read_by_layer_and_name(lake, sql):
    assert lake.query(sql).to_pylist() == [{"n": 4}]


def test_values_arrive_as_written(lake):
    rows = lake.query("select vehicle_id, speed_kmh, dq_warnings from silver.telemetry order by ecu_ts, vehicle_id")
    assert rows.schema.types[0] == "string"
    assert [r["speed_kmh"] for r in rows.to_pylist()[1:3]].count(None) == 1
    assert rows.to_pylist()[0] == {"vehicle_id": "a", "speed_kmh": 100.0, "dq_warnings": ["rpm_gr86"]}


def test_a_join_of_two_tables(lake, write_table):
    write_table("silver.sessions", [{"session_id": "s1", "track_id": "oval"}])
    sql = "select track_id, count(*) as n from silver.telemetry join silver.sessions using (session_id) group by 1"
    assert mentioned_tables(sql, lake) == ("silver.telemetry", "silver.sessions")
    assert lake.query(sql.replace("select track_id", "select sessions.track_id")).to_pylist() == [
        {"track_id": "oval", "n": 3}
    ]


def test_an_uncontracted_table_of_the_lake(home):
    write_deltalake(table_uri("gold.mine", home), pl.DataFrame({"x": [1, 2]}))
    assert LakeReader(home).query("select sum(x) as s from gold.mine").to_pylist() == [{"s": 3}]


def test_only_mentioned_tables_are_opened(lake, write_table):
    write_table("ops.dq_results", [{"run_id": "r"}], "9.0.0")  # would be refused if it were opened
    assert lake.query("select 'ops.dq_results' as s from silver.telemetry limit 1").num_rows == 1


@pytest.mark.parametrize("where", ["", " where session_id = 's1'", " where ecu_seq = 0"])
@pytest.mark.parametrize("columns", ["*", "vehicle_id", "session_id", "'x' as s", "silver.telemetry.session_id"])
@pytest.mark.parametrize(
    ("tail", "at_most", "skipped"), [(" limit 2", 2, 0), (" limit 9 offset 1", 9, 1), (" offset 3", 9, 3)]
)
def test_limits_hold_for_every_kind_of_scan(lake, where, columns, tail, at_most, skipped):
    """The engine loses a limit over partition columns and constants unless it is made to read a data file."""
    rows = lake.query(f"select {columns} from silver.telemetry{where}").num_rows
    limited = lake.query(f"select {columns} from silver.telemetry{where}{tail}").num_rows
    assert limited == min(at_most, max(0, rows - skipped))


def test_limits_hold_in_subqueries(lake):
    one = "(select session_id from silver.telemetry limit 1)"
    assert lake.query(f"{one} union all {one}").num_rows == 2
    assert lake.query(f"select count(*) as n from {one} a cross join {one} b").to_pylist() == [{"n": 1}]


def test_a_table_not_made_yet_names_its_job(home):
    with pytest.raises(MissingTableError, match="slipstream stream gold"):
        LakeReader(home).query("select * from gold.lap_features")


@pytest.mark.parametrize(
    "sql",
    [
        "drop table silver.telemetry",
        "delete from silver.telemetry",
        "insert into silver.telemetry select * from silver.telemetry",
        "create table gold.x as select 1",
        "create external table e stored as csv location '/etc/hosts'",
        "copy (select 1) to 'out.csv'",
        "explain analyze copy (select 1) to 'out.csv'",
        "explain verbose drop table silver.telemetry",
        "set datafusion.execution.batch_size = 1",
        "show tables",
        "-- select 1\n drop table silver.telemetry",
        "/* select */ update silver.telemetry set speed_kmh = 0",
        "",
        ";",
    ],
)
def test_anything_but_a_query_is_refused(lake, sql, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QueryError, match="is not a query"):
        lake.query(sql)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    "sql",
    ["with a as (select 1) insert into silver.telemetry select * from a", "select 1; drop table silver.telemetry"],
)
def test_no_query_hides_a_write(lake, sql):
    with pytest.raises(QueryError):
        lake.query(sql)
    assert lake.query("select count(*) as n from silver.telemetry")["n"].to_pylist() == [4]


def test_files_of_the_machine_cannot_be_read(lake):
    for source in ("'/etc/hosts'", "read_csv('/etc/hosts')", '"/etc/hosts"'):
        with pytest.raises(QueryError):
            lake.query(f"select * from {source}")


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("select sped_kmh from silver.telemetry", "near matches: speed_kmh"),
        ("select t.sped_kmh from silver.telemetry t", "near matches: speed_kmh"),
        ("select sped_kmh from silver.telemetry", "tables in this query: silver.telemetry"),
        ("select * from telemetry", "near matches: silver.telemetry"),
        ("select * from silver.telemtry", "near matches: silver.telemetry"),
        ("selec 1", "'SELEC' is not a query"),
        ("select from where", "the query failed"),
    ],
)
def test_errors_carry_what_may_help(lake, sql, hint):
    with pytest.raises(QueryError, match=hint):
        lake.query(sql)


def test_an_error_while_reading_is_a_query_error_too(lake):
    reader = lake.sql("select 1 / (ecu_seq * 1) as x from silver.telemetry")
    with pytest.raises(QueryError, match="Divide by zero"):
        reader.read_all()


def test_nanoseconds_are_cut_to_microseconds(home):
    assert LakeReader(home).query("select now() as t").schema.field("t").type.unit == "us"


@hypothesis_settings(deadline=None)  # the first call reads the contracts
@given(st.text(max_size=60))
def test_no_text_makes_the_tokeniser_fail_or_slips_through(text):
    lake = LakeReader(AppConfig(slipstream_home="nowhere", _env_file=None))
    assert mentioned_tables(f"select '{text.replace(chr(39), '')} silver.telemetry'", lake) == ()
