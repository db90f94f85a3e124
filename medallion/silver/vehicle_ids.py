"""Which car a message is of: its chassis, where the id names one, whatever number stands behind it.

Ids are ``<model>-<chassis>-<number>``, and the number may be 000 at first and be set later. All rows of a car in a
session have the first id that came of its chassis.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.identifiers import ID
from conf.tables import SILVER_ENTRIES, SILVER_VEHICLE_IDS
from medallion.exchange import add_rows
from medallion.io import Lake
from medallion.keys import Vehicle
from medallion.part import sessions_part
from medallion.reading import read_rows

_CHASSIS: Final = r"(GR86-(?!000)[0-9]{3}|.+-(?!000)0[0-9]{2})-([0-9]+[A-Za-z]?)"
"""Chassis and number in an id. A chassis 000 was not set; three digits that do not begin with 0 may be a model: 911."""
_ID: Final = rf"^{ID.pattern}\z"
SameCar = Mapping[Vehicle, str]
"""Ids that stand for another one of the same car, by session and id as sent."""


def chassis_of(vehicle_id: str) -> str | None:
    """Chassis in a vehicle id (``GR86-004`` in ``GR86-004-78``), ``None`` where it names none."""
    found = re.fullmatch(_CHASSIS, vehicle_id)
    return found[1] if found else None


def sent_vehicle_id(vehicle_id: str, original_vehicle_id: str) -> Column:
    """Id of the car that a message is of, by what the message says.

    ``original_vehicle_id`` tells it, where it names the same chassis, or where neither of the two names one. An id that
    the contracts do not admit stays, so that the message is refused for it.

    Args:
        vehicle_id: Column of the id.
        original_vehicle_id: Column of the id before the car was renamed.
    """

    def chassis(column: str) -> str:
        return rf"regexp_extract({column}, r'^{_CHASSIS}\z', 1)"

    admitted = " AND ".join(f"{column} RLIKE r'{_ID}'" for column in (vehicle_id, original_vehicle_id))
    same = f"{admitted} AND {chassis(original_vehicle_id)} = {chassis(vehicle_id)}"
    return F.expr(f"CASE WHEN {same} THEN {original_vehicle_id} ELSE {vehicle_id} END")


@dataclass
class VehicleIds:
    """The ids of a lake's cars.

    Attributes:
        lake: Where the table is.
        run_id: Job run.
    """

    lake: Lake
    run_id: str
    _known: dict[tuple[str, str], str] = field(default_factory=dict)

    def find_same_cars(self, vehicles: Iterable[Vehicle]) -> SameCar:
        """Find the ids that stand for another one, and hold fast the ids of cars that are new.

        Args:
            vehicles: Sessions and ids as sent.
        """
        named = {(s, v): chassis for s, v in set(vehicles) if s and v and (chassis := chassis_of(v)) is not None}
        fresh = {(s, chassis) for (s, _), chassis in named.items()} - self._known.keys()
        if fresh:
            sent: dict[tuple[str, str], list[str]] = {}
            for (s, v), chassis in named.items():
                sent.setdefault((s, chassis), []).append(v)
            self._claim({car: sent[car] for car in fresh})
        return {(s, v): own for (s, v), chassis in named.items() if (own := self._known[s, chassis]) != v}

    def _claim(self, sent: Mapping[tuple[str, str], list[str]]) -> None:
        part = sessions_part({session for session, _ in sent})
        earlier = read_rows(self.lake, SILVER_ENTRIES, part) if self.lake.exists(SILVER_ENTRIES) else []
        there = {
            (e.session_id, chassis_of(e.vehicle_id)): e.vehicle_id for e in earlier
        }  # from before there was the table
        rows = [
            {"session_id": car[0], "chassis": car[1], "vehicle_id": there.get(car) or first_id(ids)}
            for car, ids in sorted(sent.items())
        ]
        add_rows(self.lake, SILVER_VEHICLE_IDS, rows, part, self.run_id)
        for row in read_rows(self.lake, SILVER_VEHICLE_IDS, part):
            self._known[row.session_id, row.chassis] = row.vehicle_id


def first_id(ids: Iterable[str]) -> str:
    """The id that a car keeps of some that came together: one with a number, if there is one."""

    def order(vehicle_id: str) -> tuple[bool, str]:
        found = re.fullmatch(_CHASSIS, vehicle_id)
        return not (found and found[2].strip("0")), vehicle_id

    return min(ids, key=order)


def with_same_cars(units: DataFrame, same: SameCar) -> DataFrame:
    """Units whose cars have the ids that they keep."""
    if not same:
        return units
    # A join and no literals: whoever sends chooses the ids, and the plan must not grow with their number.
    rows = [(*vehicle, own) for vehicle, own in same.items()]
    kept = units.sparkSession.createDataFrame(rows, "session_id string, vehicle_id string, _kept string")
    joined = units.join(F.broadcast(kept), ["session_id", "vehicle_id"], "left")
    return joined.withColumn("vehicle_id", F.coalesce("_kept", "vehicle_id")).drop("_kept")
