"""``python -m benchmarks.capacity``: what one more lap costs in a lake of 1, 10 and 100 million samples (B50).

The lake is generated straight into silver and gold (see :mod:`benchmarks.season`). Then a driver sends laps through
Kafka, and each goes through bronze, silver with its closing steps, and gold. Wall time is that of the three jobs on a
Spark session that is up; bytes are what Spark's tasks read from files. The first lap at each size warms up and does not
count. Takes about 45 minutes on two cores and some twenty gigabytes at full size.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from benchmarks.season import Copies, Session, rows_that_gold_changes, send
from benchmarks.stages import logged_to, read_log, read_mb
from conf.settings import AppConfig, get_settings
from conf.tables import GOLD_DPTAD_SCORES, GOLD_FLEET_SUMMARY, GOLD_SIWTL, SILVER_LAPS
from infra.local import broker, stack
from medallion.io import Lake
from medallion.session import get_spark
from serving.charts.style import GAINED, INK, LAP, SKY, draw_light_grid, figure_style, new_figure, save_figure
from serving.lake.reader import LakeReader
from streaming import bronze, gold, silver
from streaming.job import drain_job

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULT = Path(__file__).parent / "results" / "capacity.json"
JOBS = (bronze.JOB, silver.JOB, gold.JOB)
QUERIES = {
    GOLD_DPTAD_SCORES: "select vehicle_id, count(*) laps, avg(overall_score) score from gold.dptad_scores "
    "group by vehicle_id order by score desc limit 10",
    GOLD_SIWTL: "select session_id, siwtl_lap, potential_gain from gold.siwtl where vehicle_id = '{driver}' "
    "order by siwtl_lap limit 10",
    GOLD_FLEET_SUMMARY: "select * from gold.fleet_summary order by session_id desc limit 10",
}


@dataclass(frozen=True)
class Lap:
    """One more lap.

    Attributes:
        wall_s: By job.
        read_mb: What its tasks read from files, by job.
    """

    wall_s: dict[str, float]
    read_mb: dict[str, float]

    @property
    def total_s(self) -> float:
        """All jobs together."""
        return sum(self.wall_s.values())

    @property
    def total_mb(self) -> float:
        """All jobs together."""
        return sum(self.read_mb.values())


@dataclass(frozen=True)
class Point:
    """A lake of one size.

    Attributes:
        samples: Rows of ``silver.telemetry``.
        laps: Rows of ``silver.laps``.
        drivers: Vehicles in them.
        drivers_laps: Laps of the one who drives in every session.
        more: Laps measured.
        sql_ms: Median time of each query.
    """

    samples: int
    laps: int
    drivers: int
    drivers_laps: int
    more: tuple[Lap, ...]
    sql_ms: dict[str, float]

    @property
    def wall_s(self) -> float:
        """Median of a lap."""
        return median(lap.total_s for lap in self.more)

    @property
    def read_mb(self) -> float:
        """Median of a lap."""
        return median(lap.total_mb for lap in self.more)


class Capacity:
    """The lake that grows."""

    def __init__(self, home: Path, console: Console) -> None:
        self.console = console
        self.settings = AppConfig(slipstream_home=home, slipstream_jars=get_settings().jars_dir)
        self.events = home / "events"
        self.lake = Lake(get_spark(self.settings, "slipstream-capacity", logged_to(self.events)), self.settings)
        self.first = Session(0)
        self.sessions = 0

    @property
    def bootstrap(self) -> str:
        """The broker."""
        return stack.find_endpoints(self.settings).bootstrap

    def grow(self, sessions: int) -> None:
        """Add sessions: the first through the pipeline, the others as its copies.

        Raises:
            RuntimeError: If gold's job would write anything else for a copy.
        """
        if self.sessions == 0:
            send(self.first.until_now(), self.bootstrap)
            for job in JOBS:
                began = time.perf_counter()
                drain_job(self.lake, job)
                self.say(f"the first session, {job.name} in {time.perf_counter() - began:.0f} s")
            self.sessions = 1
            self.copies = Copies(self.settings, self.first)
        for day in range(self.sessions, sessions):
            began = time.perf_counter()
            self.copies.write(self.settings, Session(day))
            self.say(f"session {day + 1} of {sessions} in {time.perf_counter() - began:.1f} s")
            if day == 1 and (wrong := rows_that_gold_changes(self.lake, Session(day))):
                raise RuntimeError(f"gold's job computes {wrong} rows of a copied session otherwise: the copy is wrong")
        self.sessions = max(self.sessions, sessions)

    def laps_more(self, warmups: int, counted: int) -> tuple[Lap, ...]:
        """Send laps to the newest session, one by one, and take each through all jobs."""
        done = []
        for lap in Session(self.sessions - 1).laps_more()[: warmups + counted]:
            send(lap, self.bootstrap)
            walls, read = {}, {}
            for job in JOBS:
                before, began = read_mb(read_log(self.events)), time.perf_counter()
                drain_job(self.lake, job)
                walls[job.name] = time.perf_counter() - began
                read[job.name] = read_mb(read_log(self.events)) - before
            done.append(Lap(walls, read))
            self.say(f"one more lap: {done[-1].total_s:.1f} s, {done[-1].total_mb:.0f} MB  {walls}")
        return tuple(done[warmups:])

    def point(self, more: tuple[Lap, ...]) -> Point:
        """What the lake holds, and how long queries over it take."""
        driver = self.first.driver
        lake = LakeReader(self.settings)
        vehicles = lake.frame(SILVER_LAPS, columns=("vehicle_id",))["vehicle_id"]
        samples = lake.query("select count(*) n from silver.telemetry").to_pylist()[0]["n"]
        times = {name: self._query_ms(sql.format(driver=driver)) for name, sql in QUERIES.items()}
        return Point(samples, len(vehicles), vehicles.n_unique(), int((vehicles == driver).sum()), more, times)

    def _query_ms(self, sql: str, runs: int = 5) -> float:
        times = []
        for _ in range(runs):
            began = time.perf_counter()
            if not LakeReader(self.settings).query(sql).num_rows:
                raise RuntimeError(f"no rows, so the time says nothing: {sql}")
            times.append(1e3 * (time.perf_counter() - began))
        return median(times)

    def say(self, text: str) -> None:
        """Progress, on standard error."""
        self.console.print(f"[dim]{time.strftime('%H:%M:%S')} {text}[/]", highlight=False, soft_wrap=True)


def measure(sizes: Sequence[int], home: Path, console: Console, counted: int) -> list[Point]:
    """Grow a lake from size to size; the results so far are written after each."""
    stack.start_stack(
        AppConfig(slipstream_home=home, slipstream_jars=get_settings().jars_dir),
        auto_port=True,
        services=[broker.NAME],
        console=console,
    )
    capacity, points = Capacity(home, console), []
    try:
        for millions in sizes:
            capacity.grow(millions)
            points.append(capacity.point(capacity.laps_more(warmups=1, counted=counted)))
            write(points)
    finally:
        capacity.lake.spark.stop()
        stack.stop_stack(capacity.settings, services=[broker.NAME])
    return points


def write(points: Sequence[Point]) -> None:
    """The result file."""
    found = {"machine": describe(), "points": [asdict(p) | {"wall_s": p.wall_s, "read_mb": p.read_mb} for p in points]}
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def to_table(points: Sequence[Point]) -> Table:
    """One line a size."""
    table = Table("samples", "laps", "drivers", "one more lap, s", "ratio", "MB read", "ratio", *QUERIES, box=None)
    for p in points:
        table.add_row(
            f"{p.samples:,}",
            f"{p.laps:,}",
            f"{p.drivers:,}",
            f"{p.wall_s:.1f}",
            f"{p.wall_s / points[0].wall_s:.2f}",
            f"{p.read_mb:.0f}",
            f"{p.read_mb / points[0].read_mb:.2f}",
            *(f"{ms:.0f} ms" for ms in p.sql_ms.values()),
        )
    return table


def figure(points: Sequence[Point]) -> Figure:
    """Time and bytes of one more lap over the size of the lake, by job; every measured lap a dot."""
    with figure_style():
        drawn = new_figure(9.0, 3.6)
        for axes, unit, of in zip(drawn.subplots(1, 2), ("s", "MB read"), ("wall_s", "read_mb"), strict=True):
            at, below = [p.samples for p in points], [0.0] * len(points)
            for job, colour in zip(JOBS, (SKY, LAP, GAINED), strict=True):
                above = [
                    b + median(getattr(lap, of)[job.name] for lap in p.more) for b, p in zip(below, points, strict=True)
                ]
                axes.fill_between(at, below, above, color=colour, alpha=0.75, lw=0, label=job.name)
                below = above
            for p in points:
                each = [sum(getattr(lap, of).values()) for lap in p.more]
                axes.plot([p.samples] * len(each), each, "o", color=INK, ms=4)
            axes.set_xscale("log")
            axes.set_ylim(0.0, 1.25 * max(below))
            axes.set_xlabel("Samples in silver.telemetry")
            axes.set_ylabel(f"One more lap, {unit}")
            draw_light_grid(axes)
        axes.legend(loc="upper left", ncols=3)
    return drawn


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table, write the result file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description="What one more lap costs.")
    parser.add_argument(
        "--millions", default="1,10,100", help="sizes in million samples, ascending (default: 1,10,100)"
    )
    parser.add_argument("--laps", type=int, default=3, choices=(1, 2, 3), help="laps that count at each size")
    parser.add_argument("--home", type=Path, help="an empty folder for the lake; it is kept (default: a temporary one)")
    given = parser.parse_args(argv)
    home = given.home or Path(tempfile.mkdtemp(prefix="slipstream-capacity-"))
    try:
        points = measure([int(n) for n in given.millions.split(",")], home, Console(stderr=True), given.laps)
    finally:
        if given.home is None:
            shutil.rmtree(home, ignore_errors=True)
    save_figure(figure(points), RESULT.with_suffix(".png"))
    Console(width=None if sys.stdout.isatty() else 160).print(to_table(points))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
