"""A session of the lake, its laps, its track, and comparisons of two laps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from analysis.comparison.rows import Row
from analysis.drivers.formatting import format_lap_time
from analysis.tracks.circuit import Circuit
from conf.tables import GOLD_DRIVER_SUMMARY, SILVER_LAPS
from serving.lake.reader import LakeReader
from serving.notebook.answer import Answer, select_rows
from serving.queries.circuits import CircuitError, find_session_circuit, session_track
from serving.queries.comparison import ComparedLaps, compare_lap_rows
from serving.queries.lap_traces import LoadedLap, load_lap_trace
from serving.queries.laps import LapError, LapName, LapRow, find_best_lap, find_lap, read_laps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Best = Literal["best"]


class Session:
    """A session with laps.

    Args:
        reader: Reads the lake.
        session_id: Its name.
    """

    def __init__(self, reader: LakeReader, session_id: str) -> None:
        self.reader, self.session_id = reader, session_id
        self._where = {"session_id": session_id}

    @property
    def laps(self) -> Answer:
        """Rows of ``silver.laps``, by vehicle and number."""
        return select_rows(self.reader, SILVER_LAPS, None, self._where, ("vehicle_id", "lap_number"))

    @property
    def drivers(self) -> Answer:
        """Rows of ``gold.driver_summary``: pace, consistency, style and wear of each."""
        return select_rows(self.reader, GOLD_DRIVER_SUMMARY, None, self._where, ("vehicle_id",))

    @property
    def vehicles(self) -> tuple[str, ...]:
        """Ids of the vehicles that have laps."""
        return tuple(dict.fromkeys(lap.vehicle_id for lap in self.lap_rows()))

    @property
    def track(self) -> Track:
        """The circuit that was driven.

        Raises:
            CircuitError: If it is not known; the message says what to do.
        """
        track_id = session_track(self.reader, self.session_id)
        return Track(find_session_circuit(self.reader, self.session_id, track_id), track_id or "")

    def lap(self, vehicle: str, lap: int | Best = "best") -> Lap:
        """A lap of a vehicle.

        Args:
            vehicle: Its id, or the number it raced under.
            lap: Number, or ``"best"`` for the quickest that is fit for pace.

        Raises:
            LapError: If there is none; the message names those there are.
        """
        name = LapName(self.session_id, str(vehicle), None if lap == "best" else int(lap))
        return Lap(self.reader, find_lap(self.reader, name))

    def best_lap(self) -> Lap | None:
        """The quickest lap of all that are fit for pace; ``None`` where none is."""
        found = find_best_lap(self.lap_rows())
        return None if found is None else Lap(self.reader, found)

    def compare(self, lap: Lap, reference: Lap) -> Comparison:
        """Compare a lap with another of the same track; see :meth:`Lap.compare`."""
        return lap.compare(reference)

    def lap_rows(self) -> Sequence[LapRow]:
        """The laps, as the commands have them."""
        return read_laps(self.reader, self.session_id)

    def __repr__(self) -> str:
        best = self.best_lap()
        fastest = f", the best {best.row.uid} in {format_lap_time(best.time_s)}" if best else ""
        return f"<session {self.session_id}: {len(self.lap_rows())} laps of {len(self.vehicles)} vehicles{fastest}>"


class Lap:
    """One lap of a vehicle.

    Args:
        reader: Reads the lake.
        row: The lap.
    """

    def __init__(self, reader: LakeReader, row: LapRow) -> None:
        self.reader, self.row = reader, row

    @property
    def time_s(self) -> float | None:
        """Lap time."""
        return self.row.lap_time_s

    def trace(self) -> Answer:
        """Its samples: ``t_s`` and ``distance_m`` since the line, and each channel that it has, in canonical units.

        Raises:
            LapError: If it has no telemetry.
        """
        trace = self._loaded().trace
        columns = {"t_s": trace.t_s, "distance_m": trace.distance_m, **trace.channels}
        return Answer(pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()}))

    def compare(self, reference: Lap) -> Comparison:
        """Compare it with another lap of the same track.

        Raises:
            LapError: If both are one lap, either has no telemetry, or they were driven on different tracks.
        """
        return Comparison(compare_lap_rows(self.reader, self.row, reference.row))

    def _loaded(self) -> LoadedLap:
        session = self.row.session_id
        try:
            circuit = find_session_circuit(self.reader, session, session_track(self.reader, session))
            return load_lap_trace(self.reader, self.row, circuit)
        except (CircuitError, LapError):  # its distance is then that of the lap itself
            return load_lap_trace(self.reader, self.row)

    def __repr__(self) -> str:
        return f"<lap {self.row.uid}: {format_lap_time(self.time_s)}>"


class Comparison:
    """A lap against a reference.

    Args:
        found: What was found.
    """

    def __init__(self, found: ComparedLaps) -> None:
        self.found = found

    @property
    def headline(self) -> str:
        """Both laps, their times, and the difference at the line."""
        return self.found.headline

    @property
    def corners(self) -> Answer:
        """Corners and straights in driving order, and the time lost in each; see ``gold.corner_reports``."""
        return _answer(self.found.piece_rows())

    def trace(self) -> Answer:
        """Channels of both and the time lost so far, over distance; see ``gold.lap_comparison``."""
        return _answer(self.found.point_rows())

    def plot(self) -> Figure:
        """The comparison drawn: traces, the time lost, and where."""
        from serving.charts.laps import comparison_figure

        return comparison_figure(self.found)

    def __repr__(self) -> str:
        return f"<{self.headline}>"


class Track:
    """A circuit.

    Args:
        circuit: Line and corners.
        track_id: Its id; empty where the session does not name it.
    """

    def __init__(self, circuit: Circuit, track_id: str) -> None:
        self.circuit, self.track_id = circuit, track_id

    @property
    def length_m(self) -> float:
        """Length of a lap."""
        return self.circuit.line.length_m

    def plot(self) -> Figure:
        """The map with its corners."""
        from serving.charts.track_map import track_figure

        return track_figure(self.circuit, self.track_id, f"{self.length_m:,.0f} m, {len(self.circuit.corners)} corners")

    def __repr__(self) -> str:
        return f"<track {self.track_id}: {self.length_m:,.0f} m, {len(self.circuit.corners)} corners>"


def _answer(rows: Sequence[Row]) -> Answer:
    """Rows as an answer; a list of no rows has no columns."""
    return Answer(pa.Table.from_pylist(list(rows)))
