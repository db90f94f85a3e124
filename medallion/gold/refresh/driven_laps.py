"""Laps that are being driven: put off until they are over, so that no step computes what the next one alters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

from medallion.gold.timed_laps import TimedLap, finished_laps
from medallion.keys import LapKey, Vehicle

LONGEST_S: Final = 60.0
"""A lap that nothing has happened to for so long, its car stopped somewhere, waits no more."""


def laps_being_driven(timed: Mapping[Vehicle, Sequence[TimedLap]], seen: Set[LapKey]) -> set[LapKey]:
    """Laps that have not reached the line: the last of a vehicle, and what its samples say comes after.

    Args:
        timed: Laps of ``silver.laps`` in the order of their numbers, by session and vehicle.
        seen: Laps by the numbers that samples carry; ``silver.laps`` has those that are being driven only later.
    """
    known = {lap.key for found in timed.values() for lap in found}
    last = {vehicle: found[-1].key.lap_number for vehicle, found in timed.items()}
    ahead = {lap for lap in seen if lap.lap_number > last.get((lap.session_id, lap.vehicle_id), -1)}
    return (known - finished_laps(timed)) | ahead


@dataclass(frozen=True)
class PutOff:
    """Laps to compute beside those that changed, and laps to leave for later.

    Attributes:
        due: Laps put off before that wait no more.
        later: Laps that wait, and when something last happened to them, seconds since the epoch.
    """

    due: Set[LapKey] = frozenset()
    later: Mapping[LapKey, float] = field(default_factory=dict)

    def select(self, laps: Set[LapKey]) -> set[LapKey]:
        """Those of changed laps that are to be computed now, and those that are due."""
        return {lap for lap in laps if lap not in self.later} | set(self.due)


@dataclass(frozen=True)
class Waiting:
    """What earlier steps have put off.

    Attributes:
        since: When something last happened to a lap, seconds since the epoch.
        now_s: Time of this step; ``None`` puts nothing off any more.
    """

    since: Mapping[LapKey, float] = field(default_factory=dict)
    now_s: float | None = None

    @property
    def is_due(self) -> bool:
        """Whether a lap waits no more, though nothing has changed."""
        return any(self.now_s is None or self.now_s - since >= LONGEST_S for since in self.since.values())

    def put_off(self, changed: Set[LapKey], driven: Set[LapKey], sessions: Collection[str]) -> PutOff:
        """Decide about laps.

        Args:
            changed: Laps that changes affect.
            driven: Laps that are being driven, of sessions that were looked at.
            sessions: Those sessions.
        """
        if self.now_s is None:
            return PutOff(frozenset(self.since))
        later = dict.fromkeys(changed & driven, self.now_s)
        for lap, since in self.since.items():
            over = lap.session_id in sessions and lap not in driven
            if lap not in later and not over and self.now_s - since < LONGEST_S:
                later[lap] = since
        return PutOff(frozenset(self.since.keys() - later.keys()), later)


NOTHING_WAITS: Final = Waiting()
"""Everything that changed is computed."""
