"""Bronze keeps a record byte for byte, whatever is in it."""

from __future__ import annotations

from datetime import UTC, datetime

from conf.families import TELEMETRY
from medallion.bronze.messages import to_bronze_rows

TABLE = TELEMETRY.bronze
RECORDS = (
    "topic string, partition int, offset bigint, timestamp timestamp, key binary, value binary, "
    "headers array<struct<key:string,value:binary>>"
)
AT = datetime(2025, 9, 6, 18, 0, 1, tzinfo=UTC)


def record(offset, value, **headers):
    listed = [(f"ce_{k}", v) for k, v in headers.items()]
    return ("telemetry.raw", 1, offset, AT, b"s|v", value, listed)


def test_headers_become_columns_and_bytes_stay(lake, rows) -> None:
    time = b"2025-09-06T18:00:00.250000Z"
    records = [
        record(0, b"\x00\xff", type=b"slipstream.frame.v1", source=b"/replay/x", id=b"x:1", time=time),
        record(1, None, type=b"\xff\xfe", source=b"nowhere", id=b"", time=b"yesterday"),
        record(2, b""),
    ]
    lake.append(to_bronze_rows(lake.spark.createDataFrame(records, RECORDS), 7), TABLE)
    found = lake.read(TABLE).orderBy("kafka_offset").collect()
    assert [None if r.payload is None else bytes(r.payload) for r in found] == [b"\x00\xff", None, b""]
    assert {(r.topic, r.kafka_partition, bytes(r.msg_key), r.batch_id) for r in found} == {
        ("telemetry.raw", 1, b"s|v", 7)
    }
    assert [r.event_type for r in found] == ["slipstream.frame.v1", None, None]
    assert [r.source for r in found] == ["replay", None, None]
    assert [r.event_id for r in found] == ["x:1", "", None]
    assert bytes(found[1].headers[0].value) == b"\xff\xfe"
    by_offset = rows(lake, TABLE, "headers").to_dicts()  # another reader than Spark
    assert [r["sent_ts"] for r in by_offset] == [datetime(2025, 9, 6, 18, 0, 0, 250_000, UTC), None, None]
    assert {r["kafka_ts"] for r in by_offset} == {AT}
