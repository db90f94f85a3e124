"""Tables and columns: the lake's facts beside the contract's words."""

from __future__ import annotations

import io

import orjson
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from conf.contract import load_contract, table_names
from conf.lake import table_uri
from conf.plain_console import PlainConsole
from serving.lake.describe import describe_table, list_tables
from serving.lake.reader import LakeReader
from serving.lake.store import MissingTableError
from slipstream.terminal.tables import describe_group, human_size, tables_table


def printed(renderable: object) -> str:
    out = io.StringIO()
    PlainConsole(file=out).print_wide(renderable)
    return out.getvalue()


def test_facts_of_a_table(home, write_telemetry):
    write_telemetry()
    info = describe_table(LakeReader(home), "silver.telemetry").table
    table = DeltaTable(table_uri("silver.telemetry", home))
    assert (info.rows, info.files, info.version) == (4, len(table.file_uris()), table.version())
    assert info.key == ("session_id", "vehicle_id", "ecu_ts", "ecu_seq")
    assert info.partition_columns == ("session_id",)
    assert info.contract_version == "1.0.0"
    assert info.known_contract_version == load_contract("silver.telemetry").version
    assert info.last_write is not None
    assert info.last_write.timestamp() * 1000 == pytest.approx(table.history(1)[0]["timestamp"])
    assert info.last_operation == table.history(1)[0]["operation"]
    assert orjson.loads(info.model_dump_json())["size_bytes"] == info.size_bytes


def test_columns_have_units_comments_and_rules(home, write_telemetry):
    write_telemetry()
    columns = describe_table(LakeReader(home), "silver.telemetry").columns
    by_name = {column.name: column for column in columns}
    assert tuple(by_name) == load_contract("silver.telemetry").column_names
    speed = by_name["speed_kmh"]
    assert (speed.type, speed.unit, speed.required) == ("DOUBLE", "km/h", False)
    assert {rule.severity for rule in speed.rules} <= {"quarantine", "warn"}
    assert speed.rules
    assert by_name["session_id"].required


def test_a_table_not_made_yet_is_described_by_its_contract(home):
    described = describe_table(LakeReader(home), "gold.lap_features")
    info, columns = described.table, described.columns
    assert not info.exists
    assert info.rows is None
    assert info.made_by == "slipstream stream gold"
    assert [c.in_table for c in columns] == [False] * len(load_contract("gold.lap_features").columns)
    assert "not yet: run `slipstream stream gold`" in printed(describe_group(described))


def test_an_unknown_table_is_an_error(home):
    with pytest.raises(MissingTableError, match="slipstream tables"):
        describe_table(LakeReader(home), "gold.nothing")


def test_columns_beyond_and_behind_the_contract(home):
    data = pl.DataFrame({"run_id": ["r"], "mine": [[1]], "deep": [{"x": 1.0}]})
    write_deltalake(table_uri("ops.dq_results", home), data)
    described = describe_table(LakeReader(home), "ops.dq_results")
    info, columns = described.table, described.columns
    by_name = {column.name: column for column in columns}
    assert by_name["mine"].type == "ARRAY<BIGINT>"
    assert by_name["deep"].type == "STRUCT<x: DOUBLE>"
    assert by_name["run_id"].in_table
    assert not by_name["suite"].in_table
    assert info.contract_version is None
    text = printed(describe_group(described))
    assert f"none stated (this version knows {load_contract('ops.dq_results').version})" in text
    assert "not in the table yet" in text


def test_the_list_has_all_contracted_and_all_existing_tables(home, write_telemetry):
    write_telemetry()
    write_deltalake(table_uri("gold.mine", home), pl.DataFrame({"x": [1]}))
    infos = list_tables(LakeReader(home))
    assert [info.name for info in infos] == sorted([*table_names(), "gold.mine"])
    assert [info.name for info in infos if info.exists] == ["gold.mine", "silver.telemetry"]
    text = printed(tables_table(infos))
    assert "not yet: slipstream stream bronze" in text
    assert any(line.split()[:2] == ["silver.telemetry", "4"] for line in text.splitlines())


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 1024**3, "5.0 GiB"), (1024**5, "1024.0 TiB")],
)
def test_human_size(size, text):
    assert human_size(size) == text
