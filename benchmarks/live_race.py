"""``python -m benchmarks.live_race``: a race at real time: how soon a finished lap is in gold, in how much memory.

A broker, the simulator's grid at real time, and ``slipstream stream all``, each a process of its own on this machine.
A lap has ended when its ``lap_end`` message is produced. It is there with the commit that first has its row with the
time that it ends up with; a row of ``gold.dptad_scores``, which has no time, with the first commit after silver had it:
rows of a lap that is being driven say so and do not count. There is no peer: the figures are the seconds themselves,
and whether memory stays flat.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import psutil
import pyarrow.compute as pc
from confluent_kafka import Consumer
from rich.console import Console

from benchmarks.bench import COMMAND, Bench
from benchmarks.karma_laps import session
from benchmarks.local_tracker import local_tracker
from benchmarks.machine import describe
from benchmarks.runner import BenchmarkError
from benchmarks.small_karma_model import register_small_model
from conf.contract import load_contract
from conf.lake import table_uri
from conf.settings import AppConfig
from conf.tables import GOLD_DPTAD_SCORES, GOLD_KARMA_SCORES, GOLD_LAP_FEATURES, SILVER_LAPS
from medallion.dataset import open_dataset
from ml.karma import MODEL
from ml.tracking import Tracker
from serving.charts.style import GAINED, INK, LAP, SKY, draw_light_grid, figure_style, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULT = Path(__file__).parent / "results" / "live-race.json"
TABLES = (GOLD_LAP_FEATURES, GOLD_DPTAD_SCORES, GOLD_KARMA_SCORES)
WATCHED = (SILVER_LAPS, *TABLES)
SESSION = "live-race"
_TRACKS = ("three-oaks", "alder-ridge", "harbour-mile", "drawn-1", "drawn-2", "drawn-4")
_LAP_END = "event.lap_end.v1"
_LAP_S = 87.0
"""About what a lap takes on the simulator's own track."""
_EVERY_S = 1.0
_MEMORY_EVERY_S = 10.0
_SETTLE_S = 30.0
_COLOURS = dict(zip(TABLES, (SKY, LAP, GAINED), strict=True))

Lap = tuple[str, int]


@dataclass
class Seen:
    """What was seen of a race.

    Attributes:
        ended: When the message of a lap's end was produced, seconds since the epoch, by car and lap.
        rows: By table and lap what its row said, and since when.
        memory: Seconds since the start, and MB of the Python process and of its JVM.
        cpu_s: Processor seconds of both.
    """

    ended: dict[Lap, float] = field(default_factory=dict)
    rows: dict[str, dict[Lap, list[tuple[float, Any]]]] = field(default_factory=lambda: {name: {} for name in WATCHED})
    memory: list[tuple[float, float, float]] = field(default_factory=list)
    cpu_s: float = 0.0

    def note(self, name: str, lap: Lap, at: float, said: Any) -> None:
        """Note what a row says, if it is something new."""
        told = self.rows[name].setdefault(lap, [])
        if not told or told[-1][1] != said:
            told.append((at, said))

    def delays(self, name: str) -> dict[Lap, float]:
        """Seconds from a lap's end to its row in a table."""
        there = {lap: at for lap in self.ended if (at := self._there_at(name, lap)) is not None}
        return {lap: at - self.ended[lap] for lap, at in there.items()}

    def _there_at(self, name: str, lap: Lap) -> float | None:
        in_silver = self.rows[SILVER_LAPS].get(lap, [])
        if not in_silver:
            return None
        closed, lap_time_ms = in_silver[-1]
        told = self.rows[name].get(lap, [])
        if name == GOLD_DPTAD_SCORES:
            return next((at for at, _ in told if at > closed), None)
        return next((at for at, said in told if said == lap_time_ms), None)


def watch_race(cars: int, minutes: float, every_s: float, console: Console) -> dict[str, Any]:
    """Drive a race and watch it.

    Args:
        cars: In the grid.
        minutes: How long, about: whole laps are driven.
        every_s: Pause between the stream's batches.
        console: For progress.

    Returns:
        What the result file holds.
    """
    bench = Bench("full", 1, console)
    try:
        with bench.broker() as bootstrap:
            settings = bench.settings(bench.folder("lake"), bootstrap)
            console.print("learning a small model of wear …")
            tracker = _register_model(settings.home)
            env = bench.environment(settings) | {"MLFLOW_TRACKING_URI": tracker.uri}
            with _command(env, settings.home / "stream.log", "stream", "all", "--every", str(every_s)) as stream:
                laps = max(1, round(60 * minutes / _LAP_S))
                grid = ("--cars", str(cars), "--laps", str(laps), "--session", SESSION, "--speed", "1")
                with _command(env, settings.home / "simulate.log", "produce", "simulate", *grid) as simulator:
                    seen = _watch(settings, bootstrap, stream, simulator, console)
    finally:
        bench.close()
    if not all(seen.delays(name) for name in TABLES):
        raise BenchmarkError(f"no lap came to all of {', '.join(TABLES)} in {minutes:g} minutes: watch a longer race")
    return {
        "cars": cars,
        "minutes": minutes,
        "every_s": every_s,
        "laps_ended": len(seen.ended),
        "delays_s": {name: _spread(list(seen.delays(name).values())) for name in TABLES},
        "each": {name: [[seen.ended[k], s] for k, s in seen.delays(name).items()] for name in TABLES},
        "memory_mb": seen.memory,
        "cpu_s": round(seen.cpu_s, 1),
        "machine": describe(),
    }


def _watch(
    settings: AppConfig,
    bootstrap: str,
    stream: subprocess.Popen[bytes],
    simulator: subprocess.Popen[bytes],
    console: Console,
) -> Seen:
    seen, versions = Seen(), dict.fromkeys(WATCHED, -1)
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "watch", "auto.offset.reset": "earliest", "log_level": 0}
    )
    consumer.subscribe([load_contract(_LAP_END).properties["topic"]])
    start = time.monotonic()
    noted = said = -_MEMORY_EVERY_S
    end: float | None = None
    while end is None or time.monotonic() < end:
        if stream.poll() is not None:
            raise BenchmarkError(f"the stream ended:\n{(settings.home / 'stream.log').read_text()[-4000:]}")
        if end is None and simulator.poll() is not None:
            end = time.monotonic() + _SETTLE_S
        _note_ends(consumer, seen)
        for name in WATCHED:
            _note_rows(settings, name, seen, versions)
        now = time.monotonic() - start
        if now - noted >= _MEMORY_EVERY_S:
            noted = now
            _note_memory(stream.pid, now, seen)
        if now - said >= 6 * _MEMORY_EVERY_S:
            said = now
            console.print(_progress(now, seen), highlight=False)
        time.sleep(_EVERY_S)
    consumer.close()
    return seen


def _note_ends(consumer: Consumer, seen: Seen) -> None:
    lap_end = load_contract(_LAP_END).properties["ce_type"].encode()
    for message in consumer.consume(1000, timeout=0.05):
        if message.error() or dict(message.headers() or ()).get("ce_type") != lap_end:
            continue
        event = json.loads(message.value() or b"")
        seen.ended.setdefault((event["vehicle_id"], event["lap"]), message.timestamp()[1] / 1000)


def _note_rows(settings: AppConfig, name: str, seen: Seen, versions: dict[str, int]) -> None:
    uri = table_uri(name, settings)
    commits = sorted(Path(uri, "_delta_log").glob("*.json"))
    if not commits or int(commits[-1].stem) == versions[name]:
        return
    versions[name] = int(commits[-1].stem)
    at = commits[-1].stat().st_mtime
    what = "updated_ts" if name == GOLD_DPTAD_SCORES else "lap_time_ms"
    columns, mine = ["vehicle_id", "lap_number", what], pc.field("session_id") == SESSION
    rows = open_dataset(name, settings, versions[name]).to_table(columns=columns, filter=mine)
    for vehicle_id, lap_number, said in zip(*(rows[column].to_pylist() for column in columns), strict=True):
        seen.note(name, (vehicle_id, lap_number), at, said)


def _note_memory(pid: int, now: float, seen: Seen) -> None:
    python = psutil.Process(pid)
    used, cpu_s = [], 0.0
    for process in (python, *python.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # Spark's workers come and go
            times = process.cpu_times()
            cpu_s += times.user + times.system
            used.append(process.memory_info().rss / 1e6)
    seen.memory.append((round(now, 1), round(used[0], 1), round(sum(used[1:]), 1)))
    seen.cpu_s = max(seen.cpu_s, cpu_s)


def _progress(now: float, seen: Seen) -> str:
    delays = list(seen.delays(GOLD_DPTAD_SCORES).values())
    p95 = f", p95 {np.percentile(delays, 95):.1f} s" if delays else ""
    _, python, jvm = seen.memory[-1]
    return f"{now / 60:.1f} min: {len(seen.ended)} laps ended{p95}, {python:,.0f} MB and {jvm:,.0f} MB (JVM)"


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {"laps": 0}
    p50, p95 = map(float, np.percentile(values, [50, 95]))
    return {"laps": len(values), "p50": round(p50, 2), "p95": round(p95, 2), "max": round(max(values), 2)}


def _register_model(home: Path) -> Tracker:
    found = [session(track, 40 + i, 3, 3, views=("simulated",)) for i, track in enumerate(_TRACKS)]
    laps = pd.concat([views["simulated"] for views, _ in found], ignore_index=True)
    tracker = local_tracker(home, MODEL)
    register_small_model(tracker, laps, pd.concat([truth for _, truth in found], ignore_index=True))
    return tracker


@contextmanager
def _command(env: Mapping[str, str], log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """``slipstream …`` in a process of its own, ended by Ctrl-C."""
    with log.open("wb") as output:
        command = [COMMAND, *arguments]
        process = subprocess.Popen(command, env=dict(env), stdout=output, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(120)


def figure(result: Mapping[str, Any]) -> Figure:
    """Delays of laps over the race, and memory."""
    start = min(at for each in result["each"].values() for at, _ in each)
    with figure_style():
        drawn = new_figure(9.0, 3.6)
        left, right = drawn.subplots(1, 2)
        for name, each in result["each"].items():
            p95 = result["delays_s"][name]["p95"]
            left.plot(
                [(at - start) / 60 for at, _ in each],
                [delay for _, delay in each],
                ".",
                color=_COLOURS[name],
                ms=4,
                label=f"{name.partition('.')[2]}, p95 {p95:.1f} s",
            )
        left.set_ylabel("End of a lap to its row, s")
        at, python, jvm = zip(*result["memory_mb"], strict=True)
        right.plot([s / 60 for s in at], jvm, color=INK, lw=1, label="JVM")
        right.plot([s / 60 for s in at], python, color=LAP, lw=1, label="Python")
        right.set_ylabel("Resident memory, MB")
        for axes, since in ((left, "the first lap's end"), (right, "the stream's start")):
            axes.set_ylim(0.0, 1.35 * axes.get_ylim()[1])
            axes.set_xlabel(f"Minutes since {since}")
            axes.legend(loc="upper left")
            draw_light_grid(axes)
    return drawn


def main(argv: Sequence[str] | None = None) -> int:
    """Watch a race and keep what was seen."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live_race", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cars", type=int, default=20, help="cars in the grid (default: 20)")
    parser.add_argument("--minutes", type=float, default=30.0, help="length of the race, about (default: 30)")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between the stream's batches (default: 2)")
    parser.add_argument("--out", type=Path, default=RESULT, help=f"result file (default: {RESULT.name})")
    given = parser.parse_args(argv)
    result = watch_race(given.cars, given.minutes, given.every, Console(stderr=True))
    given.out.write_text(json.dumps(result, indent=2) + "\n")
    save_figure(figure(result), given.out.with_suffix(".png"))
    for name, spread in result["delays_s"].items():
        print(f"{name}: {', '.join(f'{what} {value:g}' for what, value in spread.items())} (seconds)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
