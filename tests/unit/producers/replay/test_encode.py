from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from conf.contract import load_contract
from producers.replay.encode import encode_readings
from producers.replay.reader import read_telemetry

SCHEMA = {
    "session_id": pl.String,
    "vehicle_id": pl.String,
    "vehicle_number": pl.Int32,
    "original_vehicle_id": pl.String,
    "lap": pl.Int32,
    "outing": pl.Int32,
    "meta_event": pl.String,
    "meta_session": pl.String,
    "meta_source": pl.String,
    "meta_time_us": pl.Int64,
    "timestamp_us": pl.Int64,
    "ecu_seq": pl.Int32,
    "dialect": pl.String,
    "telemetry_name": pl.String,
    "telemetry_value": pl.Float64,
}


def of(dtype: Any) -> st.SearchStrategy[Any]:
    if dtype == pl.String:
        return st.text(st.characters(codec="utf-8"), max_size=12)
    if dtype == pl.Float64:
        return st.floats()
    bits = 31 if dtype == pl.Int32 else 63
    return st.integers(-(2**bits), 2**bits - 1)


REQUIRED = {"session_id", "ecu_seq", "dialect"}
ROWS = st.lists(
    st.fixed_dictionaries(
        {name: of(dtype) if name in REQUIRED else st.none() | of(dtype) for name, dtype in SCHEMA.items()}
    ),
    min_size=1,
    max_size=8,
)


def same(left: Any, right: Any) -> bool:
    return left == right or (isinstance(left, float) and math.isnan(left) and math.isnan(right))


@given(ROWS)
def test_every_value_survives(rows: list[dict[str, Any]]):
    records = list(encode_readings(pl.DataFrame(rows, schema=SCHEMA), "digest", 7))
    assert len(records) == len(rows)
    for place, (row, (key, value, event_id)) in enumerate(zip(rows, records, strict=True)):
        decoded = json.loads(value)
        assert decoded.keys() == row.keys()
        assert all(same(decoded[name], row[name]) for name in row), (decoded, row)
        assert key == f"{row['session_id']}|{row['vehicle_id'] or ''}".encode()
        assert event_id == f"digest:{place + 7}".encode()


def test_the_contract_has_the_same_fields():
    assert set(SCHEMA) == {column.name for column in load_contract("event.reading.v1").columns}


def test_what_is_not_finite_is_a_bare_token():
    steady = dict.fromkeys(SCHEMA) | {"session_id": "s", "ecu_seq": 0, "dialect": "grcup"}
    rows = [steady | {"telemetry_value": value} for value in (math.nan, math.inf, -math.inf)]
    values = [value for _, value, _ in encode_readings(pl.DataFrame(rows, schema=SCHEMA), "d")]
    assert [value.rsplit(b":", 1)[1] for value in values] == [b"NaN}", b"Infinity}", b"-Infinity}"]


def test_chunks_give_the_same_records_as_the_whole(data_dir: Path):
    readings = read_telemetry(data_dir / "grcup" / "barber" / "R1_barber_telemetry_data_1lap.csv")
    frame = readings.frame.with_columns(dialect=pl.lit("grcup"))
    whole = list(encode_readings(frame, readings.digest))
    pieces = [
        record
        for at in range(0, frame.height, 777)
        for record in encode_readings(frame.slice(at, 777), readings.digest, at)
    ]
    assert pieces == whole
    assert len({event_id for _, _, event_id in whole}) == 22_425
