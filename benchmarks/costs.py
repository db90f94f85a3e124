"""What work takes besides its time: processor time, reads, Delta commits, Spark jobs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.runner import timed
from benchmarks.stages import count_jobs, read_mb

_SETTLE_S = 0.5  # Spark writes its events a little after they happened

Costs = dict[str, float]


class NewEvents:
    """Spark's event log, read on from where it was read last.

    Args:
        folder: Where the log is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, int] = {}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        files = (p for p in self.folder.rglob("*") if p.is_file() and not p.name.startswith((".", "appstatus")))
        for path in sorted(files):
            with path.open("rb") as log:
                log.seek(self._read.get(path, 0))
                whole = log.read().rpartition(b"\n")[0]
            if whole:
                self._read[path] = self._read.get(path, 0) + len(whole) + 1
                yield from map(json.loads, whole.splitlines())


def spent(work: Callable[[], object], tables: Path, events: NewEvents | None = None) -> tuple[float, Costs]:
    """Do work; returns its seconds, and what else it took.

    Args:
        work: What to do.
        tables: Folder of the Delta tables that it writes.
        events: Log of the Spark session that it uses, if it does.
    """
    if events is not None:
        time.sleep(_SETTLE_S)
        for _ in events:  # what came before
            pass
    commits, cpu_s, all_mb = count_commits(tables), total_cpu_s(), total_read_mb()
    seconds = timed(work)
    costs: Costs = {"cpu_s": total_cpu_s() - cpu_s}
    if all_mb is not None:
        costs["all_read_mb"] = (total_read_mb() or 0.0) - all_mb
    costs["commits"] = count_commits(tables) - commits
    if events is not None:
        time.sleep(_SETTLE_S)
        new = list(events)
        costs |= {"jobs": count_jobs(new), "read_mb": read_mb(new)}
    return seconds, costs


def total_cpu_s() -> float:
    """Processor time so far of this process and of all that descend from it: JVM, workers, broker."""
    # Of each its own and that of children it has waited for, user and system.
    return _sum_processes(lambda process: sum(process.cpu_times()[:4]))


def total_read_mb() -> float | None:
    """What the same processes have read so far, from files and from each other; one that has ended no longer counts.

    Only Linux counts that; elsewhere it is ``None``.
    """
    if not psutil.LINUX:
        return None
    return _sum_processes(lambda process: process.io_counters().read_chars) / 1e6


def _sum_processes(figure: Callable[[psutil.Process], float]) -> float:
    me, total = psutil.Process(), 0.0
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += figure(process)
    return total


def count_commits(folder: Path) -> int:
    """Commits in the logs of all Delta tables below a folder."""
    return sum(len(list(log.glob("*.json"))) for log in folder.rglob("_delta_log"))
