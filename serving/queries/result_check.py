"""Check laps and best laps against the official results: what agrees, what does not, and why.

Best laps are those fit for pace, so lap 1 is left out, as the officials leave it out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from analysis.drivers.formatting import format_lap_time
from analysis.timing.car_numbers import match_number
from conf.frozen import FrozenModel
from conf.laps import load_lap_rules
from conf.tables import SILVER_RESULTS
from serving.lake.reader import LakeReader
from serving.lake.rows import Row
from serving.queries.laps import PACE, LapRow, car_number_of, find_best_lap, read_laps

_Key = tuple[str, str]
_NUMBER = "number "


@dataclass(frozen=True)
class EntryCheck:
    """One entry: its laps here and on the result sheet.

    Attributes:
        session_id: Session.
        vehicle_number: Digits of the number raced under; ``None`` where nothing says.
        vehicle_id: Vehicle; ``None`` where no car of that number was seen.
        position: Place on the sheet.
        laps: Laps here.
        official_laps: Laps on the sheet; ``None`` without one.
        best: Best lap here that is fit for pace.
        official_best_ms: Fastest lap on the sheet.
        official_best_lap: Its number.
        exceptions: Why the two do not agree; none where they do.
        remarks: What else is worth knowing.
        has_sheet: Whether the session has a result sheet at all.
        car_number: Number raced under, as text.
    """

    session_id: str
    vehicle_number: int | None
    vehicle_id: str | None
    position: int | None
    laps: int
    official_laps: int | None
    best: LapRow | None
    official_best_ms: int | None
    official_best_lap: int | None
    exceptions: tuple[str, ...]
    remarks: tuple[str, ...]
    has_sheet: bool = True
    car_number: str | None = None

    @property
    def agrees(self) -> bool | None:
        """Whether the number of laps and the best lap are the same; ``None`` where there is nothing to compare with."""
        return not self.exceptions if self.has_sheet else None


class CheckedEntry(FrozenModel):
    """A check as programs read it; see :class:`EntryCheck`."""

    session_id: str
    vehicle_number: int | None
    car_number: str | None
    vehicle_id: str | None
    position: int | None
    laps: int
    official_laps: int | None
    best_lap_s: float | None
    best_lap_number: int | None
    official_best_lap_s: float | None
    official_best_lap_number: int | None
    agrees: bool | None
    exceptions: tuple[str, ...]
    remarks: tuple[str, ...]

    @classmethod
    def of(cls, entry: EntryCheck) -> Self:
        """The answer of a check."""
        return cls(
            session_id=entry.session_id,
            vehicle_number=entry.vehicle_number,
            car_number=entry.car_number,
            vehicle_id=entry.vehicle_id,
            position=entry.position,
            laps=entry.laps,
            official_laps=entry.official_laps,
            best_lap_s=entry.best.lap_time_s if entry.best else None,
            best_lap_number=entry.best.lap_number if entry.best else None,
            official_best_lap_s=None if entry.official_best_ms is None else entry.official_best_ms / 1000.0,
            official_best_lap_number=entry.official_best_lap,
            agrees=entry.agrees,
            exceptions=entry.exceptions,
            remarks=entry.remarks,
        )


def summarize_checks(entries: Sequence[EntryCheck]) -> str:
    """How many entries agree with the results, and how many have none to agree with."""
    compared = [one for one in entries if one.agrees is not None]
    without = f"; {len(entries) - len(compared):,} more have no result sheet" if len(compared) < len(entries) else ""
    agree = sum(bool(one.agrees) for one in compared)
    return f"{agree:,} of {len(compared):,} entries agree with the results{without}"


def check_results(lake: LakeReader, session_id: str | None = None) -> tuple[EntryCheck, ...]:
    """Check every entry of a session, or of all sessions; by session and place.

    Raises:
        LakeError: If ``silver.laps`` cannot be read.
        LapError: If the session has no laps.
    """
    where = {} if session_id is None else {"session_id": session_id}
    sheets = lake.rows(SILVER_RESULTS, where, missing_ok=True)
    compared: defaultdict[str, list[str]] = defaultdict(list)
    for row in sheets:
        compared[row["session_id"]].append(car_number_of(row) or "")
    cars: defaultdict[_Key, list[LapRow]] = defaultdict(list)
    laps = read_laps(lake, session_id)
    numbers: defaultdict[str, set[str | None]] = defaultdict(set)
    for lap in laps:
        numbers[lap.session_id].add(lap.car_number)
    for lap in laps:
        session = lap.session_id
        cars[session, _entry(lap, compared.get(session, ()), numbers[session])].append(lap)
    found = [
        check_entry(row, cars.pop((row["session_id"], _NUMBER + (car_number_of(row) or "")), [])) for row in sheets
    ]
    found += [check_entry(None, own, has_sheet=own[0].session_id in compared) for own in cars.values()]
    return tuple(sorted(found, key=_order))


def check_entry(sheet: Row | None, laps: Sequence[LapRow], *, has_sheet: bool = True) -> EntryCheck:
    """Check one entry.

    Args:
        sheet: Its row of ``silver.results``; ``None`` where it has none.
        laps: Its laps, of which there must be some if there is no sheet.
        has_sheet: Whether the session has a result sheet.
    """
    row = sheet or {}
    best, time_s = find_best_lap(laps), row.get("fl_time_s")
    official_ms = None if time_s is None else round(time_s * 1000)
    counted = row.get("laps")
    if sheet is not None:
        exceptions = tuple(_exceptions(laps, best, sheet, official_ms))
    else:
        exceptions = ("not on the result sheet",) if has_sheet else ()
    return EntryCheck(
        session_id=sheet["session_id"] if sheet else laps[0].session_id,
        vehicle_number=sheet["vehicle_number"] if sheet else laps[0].vehicle_number,
        car_number=car_number_of(sheet) if sheet else laps[0].car_number,
        vehicle_id=laps[0].vehicle_id if laps else row.get("vehicle_id"),
        position=row.get("position"),
        laps=len(laps),
        official_laps=counted,
        best=best,
        official_best_ms=official_ms,
        official_best_lap=row.get("fl_lap"),
        exceptions=exceptions,
        remarks=tuple(_remarks(laps, best, row)),
        has_sheet=has_sheet,
    )


def _exceptions(laps: Sequence[LapRow], best: LapRow | None, sheet: Row, official_ms: int | None) -> Iterator[str]:
    counted = sheet["laps"] or 0
    if laps and not counted:
        alone = all(lap.lap_time_source == "start_end" for lap in laps)
        yield f"the officials count no lap of this car{'; its laps come from the feed alone' if alone else ''}"
        return
    if len(laps) != counted:
        yield f"{len(laps)} laps here, {counted} on the sheet{_odd_laps(laps)}"
    ours = best.lap_time_ms if best else None
    if ours != official_ms:
        here = f"best lap {_lap(best.lap_number, ours)}" if best else "no lap fit for pace"
        there = "none" if official_ms is None else _lap(sheet["fl_lap"], official_ms)
        yield f"{here} here, {there} on the sheet{_unfit(laps, sheet['fl_lap'], official_ms)}"


def _remarks(laps: Sequence[LapRow], best: LapRow | None, sheet: Row) -> Iterator[str]:
    if sheet.get("is_official") is False:
        yield "result from the provisional sheet"
    status = sheet.get("status")
    if status not in (None, "Classified"):
        yield str(status).lower()
    if best and sheet.get("fl_lap") not in (None, best.lap_number) and sheet.get("laps"):
        yield f"the sheet has the best time on lap {sheet['fl_lap']}, here it is lap {best.lap_number}"
    for conflict in sheet.get("conflicts") or ():
        yield f"the sheets differ: {_readable(conflict)}"
    if laps and not any(lap.sample_count for lap in laps):
        yield "no telemetry"


def _unfit(laps: Sequence[LapRow], number: int | None, official_ms: int | None) -> str:
    """Why the sheet's best lap is not ours, where that is what differs."""
    same = next((lap for lap in laps if lap.lap_number == number and lap.lap_time_ms == official_ms), None)
    if same is None or PACE in same.fit_for:
        return ""
    against = load_lap_rules().unfit_for(same.invalid_reasons).get(PACE, [])
    return f": lap {number} is unfit for pace here ({', '.join(against)})"


def _readable(conflict: str) -> str:
    """``total time: official results 45:58.258, …`` for ``total_time_ms: official results 2758258, …``."""
    name, _, said = conflict.partition(": ")
    if name.endswith("_ms"):
        said = re.sub(r"\b\d+\b", lambda found: format_lap_time(int(found[0]) / 1000), said)
    return f"{name.removesuffix('_ms').replace('_', ' ')}: {said}"


def _odd_laps(laps: Sequence[LapRow]) -> str:
    odd = [f"lap {lap.lap_number} incomplete" for lap in laps if "incomplete" in lap.invalid_reasons]
    return f" ({', '.join(odd)})" if odd else ""


def _lap(number: int | None, time_ms: int | None) -> str:
    time = "without a time" if time_ms is None else format_lap_time(time_ms / 1000)
    return time if number is None else f"{time} (lap {number})"


def _entry(lap: LapRow, on_sheets: Sequence[str], numbers: Collection[str | None]) -> str:
    """What tells an entry from the others: its number on the sheets, else its number, else its vehicle.

    Args:
        lap: One of its laps.
        on_sheets: Numbers on the session's result sheets.
        numbers: Those of all its cars.
    """
    if lap.car_number is None or not on_sheets:
        return lap.vehicle_id
    return _NUMBER + (match_number(lap.car_number, on_sheets, numbers) or lap.car_number)


def _order(entry: EntryCheck) -> tuple[str, float, float, str]:
    last = float("inf")
    number = last if entry.vehicle_number is None else entry.vehicle_number
    return entry.session_id, last if entry.position is None else entry.position, number, entry.car_number or ""
