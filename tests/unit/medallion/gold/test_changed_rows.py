"""Changed rows of a table, grouped by what they are about."""

from __future__ import annotations

import pyarrow as pa

from conf.tables import SILVER_ENVIRONMENT, SILVER_LAPS, SILVER_TELEMETRY
from medallion.gold.refresh.changed_rows import ChangedRows, group_rows
from medallion.gold.refresh.changed_samples import changes_by_vehicle
from medallion.keys import LapKey


def samples(*rows: tuple[str | None, str, int | None, int]) -> pa.Table:
    session, vehicle, lap, at = zip(*rows, strict=True)
    return pa.table(
        {
            "session_id": pa.array(session, pa.string()),
            "vehicle_id": pa.array(vehicle, pa.string()),
            "lap_number": pa.array(lap, pa.int32()),
            "event_ts": pa.array(at, pa.int64()).cast(pa.timestamp("us", "UTC")),
            "_change_type": ["insert"] * len(rows),
        }
    )


def test_batches_of_changed_samples_are_one_group_a_lap() -> None:
    first = samples(("s", "v", 1, 10), ("s", "v", None, 7), ("s", "w", 1, 5), (None, "w", 1, 5))
    found = group_rows(SILVER_TELEMETRY, [first, samples(("s", "v", 1, 3), ("s", "v", 1, 12))])
    assert set(found) == {
        ChangedRows(SILVER_TELEMETRY, "s", "v", 1, 3, 3, 12),
        ChangedRows(SILVER_TELEMETRY, "s", "v", None, 1, 7, 7),
        ChangedRows(SILVER_TELEMETRY, "s", "w", 1, 1, 5, 5),
    }
    first_vehicle, second = changes_by_vehicle(found)
    assert (first_vehicle.key, first_vehicle.first_us, first_vehicle.last_us) == (("s", "v"), 3, 12)
    assert first_vehicle.laps == [LapKey("s", "v", 1)]
    assert second.key == ("s", "w")


def test_a_table_tells_what_it_knows() -> None:
    laps = pa.table(
        {"session_id": ["s", "s"], "vehicle_id": ["v", "v"], "lap_number": [2, 2], "_change_type": ["", ""]}
    )
    assert group_rows(SILVER_LAPS, [laps]) == [ChangedRows(SILVER_LAPS, "s", "v", 2, 2)]
    weather = samples(("s", "v", None, 4)).select(["session_id", "event_ts", "_change_type"])
    assert group_rows(SILVER_ENVIRONMENT, [weather]) == [ChangedRows(SILVER_ENVIRONMENT, "s", None, None, 1, 4, 4)]
    assert group_rows(SILVER_ENVIRONMENT, []) == []
