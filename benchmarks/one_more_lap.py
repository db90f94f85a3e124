"""Row 11: from Kafka to the last gold table: a first small race, and one more lap in a lake that holds many.

The lake holds a million, ten million, a hundred million samples (see :mod:`benchmarks.capacity`); then its driver sends
laps to the newest session, one by one, and both sides take each of them. Ours is the bronze, the silver and the gold
job on a Spark session that is up. The peer is :mod:`benchmarks.lap_peer`, whose tables begin as ours are at each size.
After each lap, outside the time, the rows of both are compared.
"""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench import COMMAND, Bench
from benchmarks.capacity import JOBS, Capacity
from benchmarks.costs import Costs, NewEvents, spent
from benchmarks.lap_peer.comparison import COMPARED, TableRows, differences, session_rows
from benchmarks.lap_peer.pipeline import LapPeer
from benchmarks.lap_peer.store import DeltaStore, clone_lake
from benchmarks.report import number
from benchmarks.runner import Result, Run, Unit, compare, must_be, race, timed
from benchmarks.season import LAPS, SPARE_LAPS, Session, send
from conf.families import EVENT_FAMILIES
from conf.tables import GOLD_DPTAD_THRESHOLDS, SILVER_RESULTS
from infra.local import broker, stack
from producers.simulator.config import DataFaults, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.timing.events import session_messages
from streaming.job import drain_job

if TYPE_CHECKING:
    from medallion.io import Lake

TITLE = "Kafka to the last gold table"
OURS = "bronze, silver and gold jobs"
PEER = "one process, Polars + deltalake"
MILLIONS = (1, 10, 100)
MOST_RUNS = SPARE_LAPS - 2  # of the laps that a session has to spare one is for its begin, and one warms up
RACE_ID = "first-race"
SMALL_LAPS = 10
_PEERS = (
    *(table for family in EVENT_FAMILIES for table in family.tables),
    *(*COMPARED, SILVER_RESULTS, GOLD_DPTAD_THRESHOLDS),
)


def measure(bench: Bench) -> Iterator[Result]:
    """A first race, then one more lap at each size; each result as soon as it is there."""
    bench = replace(bench, runs=min(bench.runs, MOST_RUNS), profile=True)
    try:
        yield _first_race(bench)
        yield from _laps(bench)
    finally:
        bench.stop_spark()


class _Sides:
    """Runs of both sides with what they cost, and their rows, to be compared once both have done a round."""

    def __init__(self, warmups: int = 1) -> None:
        self.warmups = warmups
        self.costs: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.rows: dict[str, TableRows] = {}

    def note(self, side: str, costs: Costs, rows: TableRows) -> None:
        """Keep what a run cost; where the other side's rows wait, compare.

        Raises:
            BenchmarkError: If the sides have different rows.
        """
        for name, value in costs.items():
            self.costs[side][name].append(value)
        self.rows[side] = rows
        if len(self.rows) == 2:
            must_be(differences(self.rows[OURS], self.rows[PEER]), [], "where the peer's rows are not ours")
            self.rows = {}

    def counted(self) -> dict[str, dict[str, Sequence[float]]]:
        """Costs of the counted runs, by side and name."""
        return {side: {name: v[self.warmups :] for name, v in costs.items()} for side, costs in self.costs.items()}


# ---- a first race


def _first_race(bench: Bench) -> Result:
    cars, laps = bench.pick(3, 8), 3
    simulator = VehicleSimulator(
        SimulatorConfig(session_id=RACE_ID, n_cars=cars, n_laps=laps, data_faults=DataFaults.none())
    )
    messages = list(session_messages(simulator, race=True))
    work = f"a first race, {cars} cars, {laps} laps"
    with bench.broker() as bootstrap:
        send(messages, bootstrap)
        command_s = _command_s(bench, bootstrap)
        bench.say(f"row 11, {work}: {len(messages):,} messages; `slipstream run` took {command_s:.0f} s")
        sides = _Sides()
        samples: list[int] = []
        runs = [_race_by_us(bench, bootstrap, sides), _race_by_peer(bench, bootstrap, sides, samples)]
        times = race(runs, bench.runs, say=bench.say)
    return compare(
        times,
        OURS,
        PEER,
        work,
        1,
        Unit("s", seconds=1.0),
        note="Spark is up, the lake empty; command_s: `slipstream run` from the shell, which starts Python and Spark",
        costs=sides.counted(),
        facts={"samples": samples[0], "messages": len(messages), "command_s": command_s},
    )


def _command_s(bench: Bench, bootstrap: str) -> float:
    """Seconds of the command over an empty lake, once."""
    environment = bench.environment(bench.settings(bench.folder("command"), bootstrap))
    return timed(lambda: subprocess.run([COMMAND, "run"], env=environment, check=True, capture_output=True))


def _race_by_us(bench: Bench, bootstrap: str, sides: _Sides) -> Run:
    def run() -> dict[str, float]:
        with bench.lake(bootstrap) as lake:
            seconds, costs = _drain_jobs(lake, NewEvents(bench.event_log))
            sides.note(OURS, costs, session_rows(_store(lake), RACE_ID))
        return {OURS: seconds}

    return run


def _race_by_peer(bench: Bench, bootstrap: str, sides: _Sides, samples: list[int]) -> Run:
    def run() -> dict[str, float]:
        folder = bench.folder("peer")
        peer = LapPeer(bootstrap, folder, from_end=False)
        seconds, costs = spent(lambda: samples.append(peer.drain()), folder)
        peer.close()
        sides.note(PEER, costs, session_rows(peer.store, RACE_ID))
        return {PEER: seconds}

    return run


# ---- one more lap


def _laps(bench: Bench) -> Iterator[Result]:
    settings = bench.settings(bench.home)
    stack.start_stack(settings, auto_port=True, services=[broker.NAME], console=bench.console)
    capacity = Capacity(bench.home, bench.console, bench.pick(SMALL_LAPS, LAPS))
    try:
        smallest_s = None
        for sessions in bench.millions or (MILLIONS if bench.size == "full" else MILLIONS[:1]):
            capacity.grow(sessions)
            result = one_more_lap(capacity, bench.folder("peer"), bench.runs, bench.say)
            smallest_s = smallest_s or result.ours.value
            yield replace(result, facts=dict(result.facts) | {"of_smallest": result.ours.value / smallest_s})
    finally:
        stack.stop_stack(settings, services=[broker.NAME])


def one_more_lap(capacity: Capacity, folder: Path, runs: int, say: Callable[[str], object]) -> Result:
    """Both sides take the next laps of the newest session of a lake as it is now.

    Args:
        capacity: The lake.
        folder: For the peer's tables.
        runs: Laps that count.
        say: Where progress goes.
    """
    held = capacity.holdings()
    clone_lake(Path(capacity.settings.lake_root), folder, _PEERS)
    peer = LapPeer(capacity.bootstrap, folder, from_end=True)
    laps, sides = _LapsInTurn(capacity.newest, capacity.bootstrap), _Sides()
    driver, events = (capacity.newest.session_id, capacity.first.driver), NewEvents(capacity.events)

    def ours() -> dict[str, float]:
        laps.send_next(OURS)
        seconds, costs = _drain_jobs(capacity.lake, events)
        sides.note(OURS, costs, session_rows(_store(capacity.lake), *driver))
        return {OURS: seconds}

    def theirs() -> dict[str, float]:
        laps.send_next(PEER)
        seconds, costs = spent(peer.drain, folder)
        sides.note(PEER, costs, session_rows(peer.store, *driver))
        return {PEER: seconds}

    times = race([ours, theirs], runs, say=say)
    peer.close()
    work = f"one more lap, {number(held.samples)} samples"
    note = f"{held.laps:,} laps of {held.drivers} drivers in the lake; laps that count: {runs}"
    facts = {"samples": held.samples, "laps": held.laps, "drivers": held.drivers, "drivers_laps": held.drivers_laps}
    sql = {f"sql_ms {table}": ms for table, ms in held.sql_ms.items()}
    unit = Unit("s/lap", seconds=1.0)
    return compare(times, OURS, PEER, work, 1, unit, note=note, costs=sides.counted(), facts=facts | sql)


class _LapsInTurn:
    """Laps that are sent when the first of the sides comes for them."""

    def __init__(self, session: Session, bootstrap: str) -> None:
        self.session, self.bootstrap = session, bootstrap
        self._laps = iter(session.laps_more())
        self._sent = 0
        self._taken = {OURS: 0, PEER: 0}

    def send_next(self, side: str) -> None:
        """Send a side's next lap, if the other has not had it yet."""
        self._taken[side] += 1
        if self._taken[side] > self._sent:
            send(next(self._laps), self.bootstrap)
            self._sent += 1


def _drain_jobs(lake: Lake, events: NewEvents) -> tuple[float, Costs]:
    """Run the jobs over what is there; returns their seconds, and what they cost together and each took."""
    each: dict[str, float] = {}

    def work() -> None:
        for job in JOBS:
            each[f"{job.name}_s"] = timed(partial(drain_job, lake, job))

    seconds, costs = spent(work, Path(lake.settings.lake_root), events)
    return seconds, costs | each


def _store(lake: Lake) -> DeltaStore:
    return DeltaStore(Path(lake.settings.lake_root))
