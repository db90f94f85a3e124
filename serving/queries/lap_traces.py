"""The samples of one lap as the trace that the analyses take, without a JVM."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from analysis.drivers.formatting import join_names
from analysis.laps.build_trace import STOPPED_CLOCK, TimedSamples, build_lap_trace
from analysis.laps.full_throttle import throttle_plateau_pct
from analysis.laps.trace import THROTTLE, LapTrace
from analysis.tracks.circuit import Circuit
from conf.arrays import FloatArray
from conf.reasons import RefusalError
from conf.tables import SILVER_TELEMETRY
from serving.lake.reader import LakeReader
from serving.lake.rows import Value
from serving.queries.laps import LapError, LapName, LapRow, find_lap, rank_by_time, read_laps

CHANNELS: Final = (
    "speed_kmh",
    "throttle_pct",
    "throttle_pedal_pct",
    "throttle_blade_pct",
    "brake_front_bar",
    "steering_deg",
    "gear",
    "rpm",
    "accel_long_g",
    "accel_lat_g",
    "lap_distance_m",
    "x_m",
    "y_m",
    "lat_deg",
    "lon_deg",
)
Need = Sequence[Sequence[str]]
_SHOWN: Final = 3  # laps passed over that are named


@dataclass(frozen=True)
class LoadedLap:
    """One lap with its samples.

    Attributes:
        row: The lap.
        trace: Its samples.
        throttle_source: ``pedal`` or ``blade``; ``None`` where there is no throttle.
    """

    row: LapRow
    trace: LapTrace
    throttle_source: str | None

    @property
    def time_s(self) -> float:
        """Lap time, line to line."""
        return self.trace.lap_time_s


def load_lap_trace(
    lake: LakeReader, lap: LapRow, circuit: Circuit | None = None, channels: Sequence[str] = CHANNELS
) -> LoadedLap:
    """Read a lap's samples and say how far round each was taken.

    Args:
        lake: The lake.
        lap: The lap; its interval decides which samples are in it.
        circuit: Gives the scale of distance; without it distance stays as its source measures it.
        channels: Channels to read.

    Raises:
        LakeError: If ``silver.telemetry`` cannot be read.
        LapError: If the lap has no samples or no interval, or is refused by
            :func:`~analysis.laps.build_trace.build_lap_trace`.
    """
    if lap.start_us is None or lap.end_us is None or lap.end_us <= lap.start_us:
        raise LapError(f"{lap.uid}: nothing says when it began and ended in the time of the telemetry: choose another")
    found = _samples(lake, lap, channels)
    if not (found.height and lap.is_covered):
        raise LapError(f"{lap.uid} has {_missing_samples_reason(lap)}: {_remedy(lake, lap)}")
    samples = TimedSamples(
        found["event_ts"].cast(pl.Int64).to_numpy(),
        found["clock_source"].ne_missing(STOPPED_CLOCK).to_numpy(),
        {name: doubles(found[name]) for name in channels},
        lap.start_us,
        lap.end_us,
    )
    try:
        trace = build_lap_trace(samples, circuit)
    except RefusalError as error:
        raise LapError(f"{lap.uid}: {error.refusal.text}") from error
    sources = found["throttle_source"].drop_nulls()
    return LoadedLap(lap, trace, None if sources.is_empty() else sources[0])


def load_first_trace(
    lake: LakeReader, laps: Iterable[LapRow], circuit: Circuit | None = None, need: Need = ()
) -> LoadedLap | None:
    """The first of some laps that can be loaded and has what is needed, ``None`` where there is none.

    Args:
        lake: The lake.
        laps: Laps in order of preference.
        circuit: Gives the scale of distance.
        need: Groups of channels; of each group the lap must have one.
    """
    for lap in laps:
        if lap.is_covered:
            try:
                loaded = load_lap_trace(lake, lap, circuit)
            except LapError:
                continue
            if find_lacking_channel(loaded.trace, need) is None:
                return loaded
    return None


def find_usable_lap(
    lake: LakeReader, name: LapName, need: Need = (), but: str | None = None
) -> tuple[LapRow, tuple[str, ...]]:
    """The lap of a name; ``best`` is the one that will do, as :func:`choose_lap` has it.

    Raises:
        LakeError: If a table cannot be read.
        LapError: If there is no such lap, or none of the vehicle will do.
    """
    if name.lap_number is not None:
        return find_lap(lake, name), ()
    best = find_lap(lake, name)
    laps = [lap for lap in read_laps(lake, name.session_id) if lap.vehicle_id == best.vehicle_id]
    return choose_lap(lake, rank_by_time(laps), f"best lap of {best.car}", need, but)


def choose_lap(
    lake: LakeReader, ranked: Sequence[LapRow], what: str, need: Need = (), but: str | None = None
) -> tuple[LapRow, tuple[str, ...]]:
    """The fastest of some laps that will do: it has samples, and the channels that are needed.

    Args:
        lake: The lake.
        ranked: Laps fit for the comparison, the fastest first.
        what: What is chosen, in words.
        need: Groups of channels; of each group the lap must have one.
        but: Name of a lap that it may not be, because it is compared with it.

    Returns:
        The lap, and a sentence on quicker ones that were passed over.

    Raises:
        LapError: If none will do.
    """
    found = load_first_trace(lake, (lap for lap in ranked if lap.uid != but), need=need)
    if found is None:
        wanted = join_names([group[0] for group in need])
        besides = f" besides {but}" if any(lap.uid == but for lap in ranked) else ""
        raise LapError(
            f"{what}: no lap fit for pace{besides} has telemetry{f' with {wanted}' if wanted else ''}: name a lap by "
            "its number, `slipstream laps list` shows which have samples"
        )
    quicker = [lap.uid for lap in ranked[: ranked.index(found.row)]]
    said = [f"{uid} is the lap compared" for uid in quicker if uid == but]
    if without := [uid for uid in quicker if uid != but]:
        more = f" and {len(without) - _SHOWN} more" if len(without) > _SHOWN else ""
        said.append(f"{join_names(without[:_SHOWN])}{more} without the telemetry for it")
    notes = (f"{what} that will do: {found.row.uid}; quicker: {'; '.join(said)}",) if said else ()
    return found.row, notes


def speed_notes(uid: str, trace: LapTrace) -> tuple[str, ...]:
    """What to know of a lap whose speed has gaps; nothing where it has none."""
    if not trace.unseen_s:
        return ()
    return (f"{uid} has no speed for {trace.unseen_s:.1f} s: where in a gap time goes is not known",)


def find_lacking_channel(trace: LapTrace, need: Need) -> str | None:
    """The first channel of the first group of which a lap has none, ``None`` where it has all that is needed."""
    return next((group[0] for group in need if not any(trace.has(name) for name in group)), None)


def car_plateaus_pct(lake: LakeReader, laps: tuple[LapRow, LapRow | None]) -> tuple[float | None, float | None]:
    """What the throttle of the cars of two laps reads at full throttle over their sessions, each car read once.

    Args:
        lake: The lake.
        laps: The laps; ``None`` for one that no car of the lake drove.

    Returns:
        A figure for each lap; ``None`` where its car has no throttle.
    """
    found = {car: _car_plateau_pct(lake, *car) for car in dict.fromkeys(_car_of(lap) for lap in laps if lap)}
    one, two = (None if lap is None else found[_car_of(lap)] for lap in laps)
    return one, two


def _car_of(lap: LapRow) -> tuple[str, str]:
    return lap.session_id, lap.vehicle_id


def _car_plateau_pct(lake: LakeReader, session_id: str, vehicle_id: str) -> float | None:
    """The highest plateau of a car's laps: behind a safety car nobody is at full throttle."""
    where: dict[str, Value] = {"session_id": session_id, "vehicle_id": vehicle_id}
    found = lake.frame(SILVER_TELEMETRY, where, columns=("lap_number", *THROTTLE)).drop_nulls("lap_number")
    for channel in THROTTLE:
        known = found.drop_nulls(channel)
        if known.height:
            return max(throttle_plateau_pct(doubles(one[channel])) for one in known.partition_by("lap_number"))
    return None


def _missing_samples_reason(lap: LapRow) -> str:
    if not lap.sample_count or lap.telemetry_gap_s is None:
        return "no telemetry"
    return f"no telemetry for {lap.telemetry_gap_s:.1f} s of it"


def _remedy(lake: LakeReader, lap: LapRow) -> str:
    """What to do about a lap without samples."""
    if lap.is_covered:
        return "its samples are not numbered yet, `slipstream stream silver` completes that"
    laps = read_laps(lake, lap.session_id)
    own = [str(one.lap_number) for one in laps if one.vehicle_id == lap.vehicle_id and one.is_covered]
    if own:
        return f"of {lap.car} {join_names(own)} {'has' if len(own) == 1 else 'have'} it"
    cars = join_names(sorted({one.car for one in laps if one.is_covered}))
    return f"in {lap.session_id} {cars} have it" if cars else f"no car of {lap.session_id} has it"


def _samples(lake: LakeReader, lap: LapRow, channels: Sequence[str]) -> pl.DataFrame:
    where: dict[str, Value] = {"session_id": lap.session_id, "vehicle_id": lap.vehicle_id, "lap_number": lap.lap_number}
    columns = ("event_ts", "clock_source", "throttle_source", *channels)
    return lake.frame(SILVER_TELEMETRY, where, columns=columns, order_by=("event_ts", "ecu_seq"))


def doubles(column: pl.Series) -> FloatArray:
    """A column as doubles, NaN for null, shape (n,)."""
    return np.asarray(column.cast(pl.Float64).fill_null(np.nan).to_numpy(), dtype=np.float64)
