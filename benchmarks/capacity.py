"""A lake that grows session by session, to measure the same work in it at several sizes (B50).

It is generated straight into silver and gold (see :mod:`benchmarks.season`): to a hundred million samples in some forty
minutes on two cores, and some twenty gigabytes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console

from benchmarks.season import LAPS, Copies, Session, rows_that_gold_changes, send
from benchmarks.stages import logged_to
from conf.settings import AppConfig, get_settings
from conf.tables import GOLD_DPTAD_SCORES, GOLD_FLEET_SUMMARY, GOLD_SIWTL, SILVER_LAPS
from infra.local import stack
from medallion.io import Lake
from medallion.session import get_spark
from serving.lake.reader import LakeReader
from streaming.all_layers import LAYERS
from streaming.job import drain_job

JOBS = LAYERS
QUERIES = {
    GOLD_DPTAD_SCORES: "select vehicle_id, count(*) laps, avg(overall_score) score from gold.dptad_scores "
    "group by vehicle_id order by score desc limit 10",
    GOLD_SIWTL: "select session_id, siwtl_lap, potential_gain from gold.siwtl where vehicle_id = '{driver}' "
    "order by siwtl_lap limit 10",
    GOLD_FLEET_SUMMARY: "select * from gold.fleet_summary order by session_id desc limit 10",
}


@dataclass(frozen=True)
class Holdings:
    """What a lake of one size holds.

    Attributes:
        samples: Rows of ``silver.telemetry``.
        laps: Rows of ``silver.laps``.
        drivers: Vehicles in them.
        drivers_laps: Laps of the one who drives in every session.
        sql_ms: Median time of each of ``QUERIES``, by its table.
    """

    samples: int
    laps: int
    drivers: int
    drivers_laps: int
    sql_ms: dict[str, float]


class Capacity:
    """The lake that grows.

    Args:
        home: Folder of the lake, of the broker that runs there, and of Spark's event log.
        console: Where progress goes.
        laps: Of a session.
    """

    def __init__(self, home: Path, console: Console, laps: int = LAPS) -> None:
        self.console = console
        self.settings = AppConfig(slipstream_home=home, slipstream_jars=get_settings().jars_dir)
        self.events = home / "events"
        self.lake = Lake(get_spark(self.settings, "slipstream-capacity", logged_to(self.events)), self.settings)
        self.laps = laps
        self.first = Session(0, laps)
        self.sessions = 0

    @property
    def bootstrap(self) -> str:
        """The broker."""
        return stack.find_endpoints(self.settings).bootstrap

    @property
    def newest(self) -> Session:
        """The session that was added last."""
        return Session(self.sessions - 1, self.laps)

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
            self.copies.write(self.settings, Session(day, self.laps))
            self.say(f"session {day + 1} of {sessions} in {time.perf_counter() - began:.1f} s")
            if day == 1 and (wrong := rows_that_gold_changes(self.lake, Session(day, self.laps))):
                raise RuntimeError(f"gold's job computes {wrong} rows of a copied session otherwise: the copy is wrong")
        self.sessions = max(self.sessions, sessions)

    def holdings(self) -> Holdings:
        """What the lake holds, and how long queries over it take."""
        driver = self.first.driver
        lake = LakeReader(self.settings)
        vehicles = lake.frame(SILVER_LAPS, columns=("vehicle_id",))["vehicle_id"]
        samples = lake.query("select count(*) n from silver.telemetry").to_pylist()[0]["n"]
        times = {name: self._query_ms(sql.format(driver=driver)) for name, sql in QUERIES.items()}
        return Holdings(samples, len(vehicles), vehicles.n_unique(), int((vehicles == driver).sum()), times)

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
