"""SQL over the lake: names, answers, refusals and errors that help."""

from __future__ import annotations

import gc
import stat
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from conf.lake import table_uri
from conf.settings import AppConfig
from serving.lake.engine import query_engine
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
        'SELECT COUNT(*) AS n FROM Silver.Telemetry -- "gold.lap_features"',
        "from silver.telemetry select count(*) as n",
        "select (select count(*) from silver.telemetry) as n",
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


def test_columns_that_came_later_than_the_table_are_null(home):
    write_deltalake(table_uri("silver.laps", home), pl.DataFrame({"session_id": ["s"], "lap_number": [1]}))
    found = LakeReader(home).query("select session_id, car_number, lap_end_ts, fit_for from silver.laps").to_pylist()
    assert found == [{"session_id": "s", "car_number": None, "lap_end_ts": None, "fit_for": None}]
    assert LakeReader(home).query("from analysis.fastest_laps").num_rows == 0


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
        "create or replace view silver.telemetry as select 1",
        "copy (select 1) to 'out.csv'",
        "copy silver.telemetry to 'out.csv'",
        "explain analyze copy (select 1) to 'out.csv'",
        "explain drop table silver.telemetry",
        "export database 'out.csv'",
        "attach 'out.csv' as other",
        "set threads = 1",
        "set enable_external_access = true",
        "pragma enable_profiling",
        "install httpfs",
        "load httpfs",
        "call force_checkpoint()",
        "prepare q as select 1",
        "-- select 1\n drop table silver.telemetry",
        "/* select */ update silver.telemetry set speed_kmh = 0",
        "select 1; drop table silver.telemetry",
        "select 1; select 2",
        "pivot silver.telemetry on vehicle_id using count(*)",  # makes a type first
        "",
        ";",
        "selec 1",
    ],
)
def test_anything_but_a_query_is_refused(lake, sql, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QueryError, match="is not a query"):
        lake.query(sql)
    assert not (tmp_path / "out.csv").exists()


def test_no_query_hides_a_write(lake):
    with pytest.raises(QueryError):
        lake.query("with a as (select 1) insert into silver.telemetry select * from a")
    assert lake.query("select count(*) as n from silver.telemetry")["n"].to_pylist() == [4]


@pytest.mark.parametrize(
    "source",
    [
        "'{file}'",
        "read_csv('{file}')",
        "read_text('{file}')",
        "read_blob('{file}')",
        "read_json('{file}')",
        "read_parquet('{file}')",
        "glob('{file}')",
        "sniff_csv('{file}')",
        "parquet_metadata('{file}')",
        '"{file}"',
        "query('from read_text(''{file}'')')",
        "query_table('{file}')",
        "(with a as (select (select max(content) from read_text('{file}')) as x) select * from a)",
        "(select * from silver.telemetry where vehicle_id in (select content from read_text('{file}')))",
        "duckdb_secrets()",
    ],
)
def test_files_of_the_machine_cannot_be_read(lake, tmp_path, source):
    file = tmp_path / "secret.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(QueryError):
        lake.query(f"select * from {source.format(file=file)}")


@pytest.mark.parametrize(
    "source",
    [
        "enable_logging(storage_path='{file}')",
        "System.Main.Enable_Logging()",
        "enable_profiling(save_location='{file}')",
        "(select * from silver.telemetry where exists (from checkpoint()))",
        "query('from enable_logging()')",
        "json_execute_serialized_sql('{{}}')",
        "arrow_scan(1, 2, 3)",
        "truncate_duckdb_logs()",
    ],
)
def test_no_query_changes_the_process(lake, tmp_path, source):
    file = tmp_path / "log"
    with pytest.raises(QueryError, match="is refused: a query reads the lake's tables and nothing else"):
        lake.query(f"select * from {source.format(file=file)}")
    assert not file.exists()


def test_a_query_is_taken_apart_without_a_look_at_the_disk(lake, tmp_path):
    (tmp_path / "schema.sql").write_text("select 'hush'")
    for sql in ("pragma import_database('{}')", "import database '{}'"):
        with pytest.raises(QueryError, match="file system operations are disabled"):
            lake.query(sql.format(tmp_path))


def test_functions_that_make_rows_of_their_arguments_are_there(lake):
    for source in ("range(3)", "generate_series(1, 3)", "unnest([1, 2, 3])", "json_each('[1, 2, 3]')"):
        assert lake.query(f"from {source}").num_rows == 3
    assert lake.query("select unnest(range(3)) from silver.telemetry").num_rows == 12


@pytest.mark.parametrize("sql", ["select " + "+".join(["1"] * 900), "select '\udcff'"])
def test_what_cannot_be_taken_apart_is_one_line(lake, sql):
    with pytest.raises(QueryError, match=r"too many parts within parts|is no text of UTF-8"):
        lake.query(sql)


def test_what_a_query_has_no_memory_for_is_its_user_s_alone():
    (place,) = query_engine().cursor().execute("select current_setting('temp_directory')").fetchone()
    assert stat.S_IMODE(Path(place).stat().st_mode) == 0o700


def test_variables_of_the_caller_and_of_the_environment_are_not_seen(lake):
    mine = pl.DataFrame({"x": [1]})
    for sql in ("select * from mine", "select getenv('PATH')"):
        with pytest.raises(QueryError):
            lake.query(sql)
    assert mine.height == 1


def test_the_lake_says_what_is_in_it(lake, write_table):
    write_table("silver.sessions", [{"session_id": "s1", "track_id": "oval"}])
    listed = [name for name in lake.query("show tables")["name"].to_pylist() if not name.startswith("analysis.")]
    assert listed == ["silver.sessions", "silver.telemetry"]
    columns = lake.query("describe silver.sessions")["column_name"].to_pylist()
    assert "track_id" in columns
    found = lake.query("select column_name from information_schema.columns where table_name = 'sessions'")
    assert sorted(set(found["column_name"].to_pylist())) == sorted(columns)
    assert lake.query("summarize silver.sessions").num_rows == len(columns)


@pytest.mark.parametrize("begin", ["explain", "EXPLAIN ANALYZE", "explain (format json)", "-- explain\nexplain"])
def test_a_plan_is_explained(lake, begin):
    assert lake.query(f"{begin} select count(*) from silver.telemetry").num_rows > 0


def test_each_sample_finds_the_last_before_it(lake):
    sql = """
        select a.vehicle_id, b.ecu_ts as before
        from silver.telemetry a asof join silver.telemetry b
          on a.vehicle_id = b.vehicle_id and a.ecu_ts > b.ecu_ts
        order by a.ecu_ts
    """
    assert set(lake.query(sql)["vehicle_id"].to_pylist()) == {"a"}


def test_the_best_of_each_is_one_clause_away(lake):
    sql = "from silver.telemetry qualify row_number() over (partition by vehicle_id order by speed_kmh desc) = 1"
    assert sorted(lake.query(sql)["vehicle_id"].to_pylist()) == ["a", "b"]


def test_a_query_that_takes_too_long_is_ended(lake):
    with pytest.raises(QueryError, match=r"took longer than 0\.2 s"):
        lake.sql("select count(*) from range(10000000) a, range(10000000) b", timeout_s=0.2).read_all()


def test_sums_of_whole_numbers_are_whole_numbers(lake):
    assert lake.query("select sum(ecu_seq) as s from silver.telemetry").schema.field("s").type == "int64"


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("select sped_kmh from silver.telemetry", "near matches: speed_kmh"),
        ("select t.sped_kmh from silver.telemetry t", "near matches: speed_kmh"),
        ("select sped_kmh from silver.telemetry", "tables in this query: silver.telemetry"),
        ("select * from telemetry", "near matches: silver.telemetry"),
        ("select * from silver.telemtry", "near matches: silver.telemetry"),
        ("selec 1", "'SELEC' is not a query"),
        ("select speed_km from (select * from silver.telemetry)", "near matches: speed_kmh"),
        ("select from where", "the query failed"),
    ],
)
def test_errors_carry_what_may_help(lake, sql, hint):
    with pytest.raises(QueryError, match=hint):
        lake.query(sql)


def test_an_error_while_reading_is_a_query_error_too(lake):
    reader = lake.sql("select if(range < 900000, '1', 'x')::int as x from range(1000000)")
    with pytest.raises(QueryError, match="Could not convert string"):
        reader.read_all()


def test_nanoseconds_are_cut_to_microseconds(home):
    assert LakeReader(home).query("select now() as t").schema.field("t").type.unit == "us"


@given(st.text(max_size=60))
def test_no_text_names_a_table(text):
    lake = LakeReader(AppConfig(slipstream_home="nowhere", _env_file=None))
    quoted = text.replace("'", "").replace("\0", "")  # nothing stands behind a zero byte
    assert mentioned_tables(f"select '{quoted} silver.telemetry'", lake) == ()


@given(st.text(max_size=60))
def test_any_text_is_answered_or_refused(text):
    lake = LakeReader(AppConfig(slipstream_home="nowhere", _env_file=None))
    answer = None
    with suppress(QueryError):
        answer = lake.query(text)
    assert answer is None or answer.num_columns


def test_an_answer_that_nobody_reads_leaves_nothing_behind(lake):
    def catalogs() -> int:
        return query_engine().cursor().execute("SELECT count(*) FROM duckdb_databases()").fetchone()[0]

    before = catalogs()
    for sql in ("from silver.telemetry", "select sped_kmh from silver.telemetry", "select 1"):
        with suppress(QueryError):
            del_me = lake.sql(sql)
            del del_me
    gc.collect()
    assert catalogs() == before
